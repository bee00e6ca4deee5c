//! `sluis dev pki`: a certificate authority in a directory, for development only.
//!
//! | file | what |
//! |---|---|
//! | `ca.pem`, `ca.key` | the authority; kept, so that running again can add members |
//! | `server.pem`, `server.key` | the daemon's certificate |
//! | `<organisation>/<member>.pem`, `.key` | a client certificate with exactly one URI SAN, the SPIFFE id |
//! | `<organisation>/<member>.key.toml` | the member's public key as a `[[key]]` table of the registry |
//! | `crl.pem` | the certificates that were revoked |
//! | `issued.txt`, `revoked.txt` | serial and member, a line each: what `crl.pem` is made from |
//! | `config.toml` | a profile per member for `sluis --config`, where the server is known |
//!
//! Private keys are readable by their owner only.

mod authority;
mod directory;

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use sluis_domain::Identity;

use self::authority::{Authority, Server};
use self::directory::Directory;
use crate::clock;
use crate::error::{CliError, Exit};
use crate::output;

/// FOR DEVELOPMENT ONLY: make a certificate authority, a server certificate and client certificates
///
/// Run it again on the same directory to add members or to revoke some; what exists is kept.
#[derive(Args, Debug)]
#[command(after_help = "\
FOR DEVELOPMENT ONLY: the CA's private key lies unprotected in the directory.

EXAMPLES
  sluis dev pki pki --member hospital-north/etl --member uni-research/steward-1 \\
      --server https://localhost:7443
  sluis dev pki pki --member uni-research/steward-2       # add one
  sluis dev pki pki --revoke hospital-north/etl           # rewrite crl.pem")]
pub(crate) struct PkiArgs {
    /// Where to put it
    directory: PathBuf,
    /// Trust domain of the SPIFFE ids
    #[arg(long, default_value = "sluis.test", value_parser = parse_trust_domain)]
    trust_domain: String,
    /// Member to issue a client certificate to; give it once for each
    #[arg(long = "member", value_name = "ORGANISATION/MEMBER")]
    members: Vec<Identity>,
    /// Member whose certificates are revoked; give it once for each
    #[arg(long = "revoke", value_name = "ORGANISATION/MEMBER")]
    revoked: Vec<Identity>,
    /// DNS name in the server certificate; give it once for each
    #[arg(long = "server-name", value_name = "NAME", default_value = "localhost")]
    server_names: Vec<String>,
    /// IP address in the server certificate; give it once for each
    #[arg(long = "server-ip", value_name = "IP", default_values_t = [IpAddr::V4(Ipv4Addr::LOCALHOST)])]
    server_ips: Vec<IpAddr>,
    /// Address of the custodian for config.toml, which then gets a profile per member
    #[arg(long, value_name = "URL")]
    server: Option<String>,
    /// How long certificates are valid, in days
    #[arg(long, default_value_t = 365, value_parser = clap::value_parser!(u32).range(1..=3650))]
    days: u32,
    /// Print what was made as JSON
    #[arg(long)]
    json: bool,
}

fn parse_trust_domain(text: &str) -> Result<String, &'static str> {
    let good = text
        .bytes()
        .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b".-_".contains(&b));
    if good && (1..=255).contains(&text.len()) {
        Ok(text.to_owned())
    } else {
        Err("a trust domain is lower-case letters, digits, '.', '-' and '_'")
    }
}

impl PkiArgs {
    pub(crate) fn run(self) -> Result<Exit, CliError> {
        let made = self.make()?;
        if self.json {
            let revoked: Vec<_> = self.revoked.iter().map(ToString::to_string).collect();
            output::json(&json!({
                "directory": self.directory, "issued": made, "revoked": revoked, "for_development_only": true,
            }))?;
            return Ok(Exit::Done);
        }
        output::warn("for development only: anybody who can read this directory can be anybody");
        for name in &made {
            output::line(format!("issued  {name}"))?;
        }
        for member in &self.revoked {
            output::line(format!("revoked {member}"))?;
        }
        output::line(format!("in      {}", self.directory.display()))?;
        Ok(Exit::Done)
    }

    /// Makes what is missing; gives the names of what was made.
    fn make(&self) -> Result<Vec<String>, CliError> {
        let directory = Directory::open(&self.directory)?;
        let now = clock::now();
        let mut made = Vec::new();
        let authority = match directory.authority()? {
            Some((certificate, key)) => Authority::load(&certificate, &key, now)?,
            None => {
                let (authority, certificate) = Authority::create(&self.trust_domain, now)?;
                directory.keep("ca", &certificate, &authority.key_pem())?;
                made.push("ca".to_owned());
                authority
            }
        };
        if !directory.has("server") {
            let issued = authority.server(
                &Server {
                    names: &self.server_names,
                    ips: &self.server_ips,
                },
                self.days,
            )?;
            directory.keep("server", &issued.certificate, &issued.key)?;
            made.push("server".to_owned());
        }
        for member in &self.members {
            let name = member.to_string();
            if !directory.has(&name) {
                let issued = authority.member(&self.trust_domain, member, self.days)?;
                directory.remember_issued(&issued.serial, member)?;
                directory.keep(&name, &issued.certificate, &issued.key)?;
                directory.write_key_table(&name, &issued.certificate)?;
                made.push(name);
            }
        }
        for member in &self.revoked {
            directory.remember_revoked(member)?;
        }
        directory.write_crl(&authority.crl(&directory.revoked()?)?)?;
        directory.write_profiles(self.server.as_deref())?;
        Ok(made)
    }
}

#[cfg(test)]
mod tests;
