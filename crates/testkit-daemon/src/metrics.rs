//! The metrics of a custodian, as a scraper reads them.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// What `GET /metrics` answers, with its headers.
pub async fn page(address: SocketAddr) -> String {
    let mut stream = TcpStream::connect(address).await.expect("listens");
    let request = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    stream.write_all(request).await.expect("writable");
    let mut page = String::new();
    stream.read_to_string(&mut page).await.expect("text");
    page
}

/// The value of a metric, which is named with its labels; `None` if it is not on the page, like what was never counted.
pub fn value(page: &str, name: &str) -> Option<u64> {
    let value = page
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
    Some(value.parse().expect("a whole number"))
}
