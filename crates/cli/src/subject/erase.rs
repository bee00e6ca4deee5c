//! `sluis subject erase`.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::path::{Path, PathBuf};

use clap::Args;
use sluis_client::local::{Context, SendStep, SourceKeys, Step};
use sluis_client::v1::{Chain, ListChainsRequest, RequestErasureRequest};
use sluis_client::{Client, ClientError, DateFormat, SourceKey, Zeroizing};
use sluis_domain::{ElementName, NamespaceId};

use crate::connect::ConnectArgs;
use crate::data::{no_plan, read_secret};
use crate::error::{CliError, Exit};
use crate::expect::{ExpectArgs, Expectation};
use crate::unsure::unless_answered;
use crate::{proposed, secret};

/// Most bytes of an identifier and its line end.
const LONGEST: u64 = 4_096;

/// Propose the erasure of a subject who objects; it is refused from then on (members of sources)
///
/// When the owners of all chains with the namespace have signed, the custodian refuses the subject's records, and removes
/// what leads back from its pseudonyms from every chain, each at its own moment within the time the custodian
/// configured. Nothing on the way says whether the subject was there. The identifier is read from a file, from
/// standard input (`-`), or at the terminal, where it is not shown: on the command line others could see it.
#[derive(Args, Debug)]
#[command(after_help = "\
EXAMPLES
  sluis subject erase --namespace nl.bsn --identifier-file bsn.txt
  sluis subject erase --namespace nl.bsn --identifier-file - --json
  sluis subject erase --namespace study-042 --identifier-file id.txt --source-key key.hex
  sluis subject erase --namespace nl.bsn --identifier-file bsn.txt --expect pins.toml")]
pub(crate) struct EraseArgs {
    /// The kind of identifier
    #[arg(long)]
    namespace: NamespaceId,
    /// File with the identifier on its only line; `-` is standard input
    #[arg(long, value_name = "FILE")]
    identifier_file: PathBuf,
    /// File with the key that the sources share, for a namespace with prehash input. With it the identifier is hashed or not
    /// sent at all, whatever the custodian says
    #[arg(long, value_name = "FILE")]
    source_key: Option<PathBuf>,
    #[command(flatten)]
    expect: ExpectArgs,
    /// How dates are written, for a namespace of dates
    #[arg(long, default_value = "%Y-%m-%d", value_name = "FORMAT")]
    date_format: DateFormat,
    /// Print the proposal as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connect: ConnectArgs,
}

impl EraseArgs {
    pub(super) async fn run(self) -> Result<Exit, CliError> {
        let source_keys = self.source_keys()?;
        let expectation = self.expect.read(&self.connect)?;
        let client = self.connect.connect().await?;
        let mut step = self.step(&client, &source_keys, &expectation).await?;
        let identifier = self.identifier()?;
        let mut sent = Vec::with_capacity(256);
        step.apply(&identifier, &mut sent)
            .map_err(|reason| CliError::input(format!("the identifier: {reason}")))?;
        let request = RequestErasureRequest {
            namespace_id: self.namespace.to_string(),
            identifier: sent.into(),
        };
        let answer = client
            .subjects()
            .request_erasure(request)
            .await
            .map_err(unless_answered(|| "sluis proposal list".to_owned()))?;
        proposed::print(answer.into_inner().proposal, self.json)
    }

    /// How an identifier of the namespace is sent: as in every chain that has it.
    async fn step(
        &self,
        client: &Client,
        source_keys: &SourceKeys,
        expectation: &Expectation,
    ) -> Result<SendStep, CliError> {
        let answer = client
            .registry()
            .list_chains(ListChainsRequest::default())
            .await
            .map_err(ClientError::from)?;
        let chains = answer.into_inner().chains;
        self.check_one_way(&chains)?;
        let found = chains.into_iter().find_map(|chain| {
            let element = self.element(&chain)?;
            expectation
                .names(&chain.chain_id)
                .then_some((chain, element))
        });
        let unknown = || {
            CliError::usage(format!(
                "no chain of your organisation (or of the pins that are expected) has the namespace {}",
                self.namespace
            ))
        };
        let (chain, element) = found.ok_or_else(unknown)?;
        let chain = expectation.agree(chain)?;
        let context = Context {
            source_keys,
            date_format: &self.date_format,
        };
        match Step::of(chain.chain(), &element, context) {
            Ok(Step::Send(step)) => Ok(step),
            Ok(_) => Err(ClientError::Protocol("a pseudonym element that is not sent").into()),
            Err(error) => Err(no_plan(error)),
        }
    }

    /// A namespace has one identifier, one input and one checksum in all chains.
    fn check_one_way(&self, chains: &[Chain]) -> Result<(), ClientError> {
        let lines = chains.iter().flat_map(|chain| &chain.namespaces);
        let ways: BTreeSet<_> = lines
            .filter(|line| line.namespace_id == self.namespace.as_str())
            .map(|line| (&line.identifier, &line.input, &line.checksum))
            .collect();
        if ways.len() <= 1 {
            Ok(())
        } else {
            Err(ClientError::Protocol(
                "a namespace that is described in two ways",
            ))
        }
    }

    fn element(&self, chain: &Chain) -> Option<ElementName> {
        let of_namespace = |e: &&sluis_client::v1::Element| {
            e.treatment == "pseudonym" && e.namespace_id == self.namespace.as_str()
        };
        chain.elements.iter().find(of_namespace)?.name.parse().ok()
    }

    fn source_keys(&self) -> Result<SourceKeys, CliError> {
        let mut keys = SourceKeys::default();
        if let Some(path) = &self.source_key {
            let wrong = |error| CliError::input(format!("{}: {error}", path.display()));
            let key = SourceKey::from_file_content(&read_secret(path)?).map_err(wrong)?;
            keys.insert(self.namespace.clone(), key);
        }
        Ok(keys)
    }

    fn identifier(&self) -> Result<Zeroizing<Vec<u8>>, CliError> {
        let dash = self.identifier_file.as_os_str() == "-";
        let read = match dash {
            true if io::stdin().is_terminal() => {
                Zeroizing::new(secret::read_line("identifier")?.as_bytes().to_vec())
            }
            true => read(io::stdin().lock(), Path::new("standard input"))?,
            false => {
                let path = &self.identifier_file;
                read(File::open(path).map_err(CliError::reading(path))?, path)?
            }
        };
        only_line(&read).map(|line| Zeroizing::new(line.to_vec()))
    }
}

fn read(source: impl Read, path: &Path) -> Result<Zeroizing<Vec<u8>>, CliError> {
    // Room for everything, so that growing leaves no copies behind.
    let mut content = Zeroizing::new(Vec::with_capacity(LONGEST as usize));
    source
        .take(LONGEST)
        .read_to_end(&mut content)
        .map_err(CliError::reading(path))?;
    Ok(content)
}

/// The only line, without its end.
fn only_line(content: &[u8]) -> Result<&[u8], CliError> {
    let line = content.strip_suffix(b"\n").unwrap_or(content);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
    if line.is_empty() {
        return Err(CliError::input("there is no identifier"));
    }
    if line.contains(&b'\n') {
        return Err(CliError::input(
            "there is more than one line; subjects are erased one at a time",
        ));
    }
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_is_one_line() {
        for content in [&b"123"[..], b"123\n", b"123\r\n", b"\xef\xbb\xbf123\n"] {
            assert_eq!(only_line(content).ok(), Some(&b"123"[..]));
        }
        for content in [&b""[..], b"\n", b"\r\n", b"1\n2", b"1\n2\n"] {
            let error = only_line(content).expect_err("refused").to_string();
            assert!(!error.contains('1'), "{error}");
        }
    }
}
