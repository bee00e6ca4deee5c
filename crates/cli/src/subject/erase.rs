//! `sluis subject erase`.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, IsTerminal};
use std::path::PathBuf;

use clap::Args;
use sluis_client::local::{SendStep, SourceKeys, Step};
use sluis_client::{
    ChainView, Client, ClientError, DateFormat, Form, Spelling, Zeroizing, checksum_word,
    input_word,
};
use sluis_domain::{ElementName, NamespaceId};

use crate::connect::ConnectArgs;
use crate::data::{Identifier, no_plan, read_identifier, read_source_key};
use crate::error::{CliError, Exit};
use crate::expect::{ExpectArgs, Expectation};
use crate::formats::csv::Encoding;
use crate::unsure::unless_answered;
use crate::{proposed, secret};

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
    /// File with the identifier on its only line, in quotes if spaces around it belong to it; `-` is standard input
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
    /// Encoding of the file
    #[arg(long, value_enum, default_value_t)]
    encoding: Encoding,
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
        let mut place = self.place(&client, &source_keys, &expectation).await?;
        let identifier = self.identifier()?;
        let sent = self.prepared(&mut place, &identifier)?;
        let requested = client.request_erasure(&self.namespace, sent).await;
        let proposal = requested.map_err(unless_answered(|| "sluis proposal list".to_owned()))?;
        proposed::print(proposal, self.json)
    }

    /// The identifier as it is sent.
    fn prepared(&self, place: &mut Place, identifier: &Identifier) -> Result<Vec<u8>, CliError> {
        let value = &identifier.value[..];
        if is_header(value, &place.element, &self.namespace) {
            return Err(CliError::input(
                "the line is the name of the column, not an identifier",
            ));
        }
        let has_spaces = value.trim_ascii().len() < value.len();
        let wanted = place.step.wanted();
        if wanted.form == Form::Exact && has_spaces && !identifier.is_quoted {
            return Err(CliError::input(
                "the identifier begins or ends with white space, and those of this namespace are compared byte for byte; \
                 take it out, or put quotes around all that belongs to the identifier",
            ));
        }
        let spelling = Spelling {
            dates: self.date_format.clone(),
            ..Spelling::default()
        };
        let mut scratch = Zeroizing::new(Vec::with_capacity(10));
        let mut sent = Vec::with_capacity(256);
        spelling
            .plain(value, wanted, &mut scratch)
            .and_then(|value| place.step.apply(value, &mut sent))
            .map_err(|reason| CliError::input(format!("the identifier: {reason}")))?;
        if sent.trim_ascii().is_empty() {
            return Err(CliError::input("the identifier is missing"));
        }
        Ok(sent)
    }

    /// How an identifier of the namespace is sent: as in every chain that has it.
    async fn place(
        &self,
        client: &Client,
        source_keys: &SourceKeys,
        expectation: &Expectation,
    ) -> Result<Place, CliError> {
        let chains = client.list_chains(None).await?.chains;
        self.check_one_way(&chains)?;
        let found = chains.into_iter().find_map(|chain| {
            let element = self.element(&chain)?;
            expectation
                .names(chain.id.as_str())
                .then_some((chain, element))
        });
        let (chain, element) = found.ok_or_else(|| {
            CliError::usage(format!(
                "no chain of your organisation (or of the pins that are expected) has the namespace {}",
                self.namespace
            ))
        })?;
        let chain = expectation.agree(chain)?;
        match Step::of(chain.chain(), &element, source_keys) {
            Ok(Step::Send(step)) => Ok(Place { element, step }),
            Ok(_) => Err(ClientError::Protocol("a pseudonym element that is not sent").into()),
            Err(error) => Err(no_plan(error)),
        }
    }

    /// A namespace has one identifier, one input and one checksum in all chains.
    fn check_one_way(&self, chains: &[ChainView]) -> Result<(), ClientError> {
        let lines = chains.iter().flat_map(|chain| &chain.namespaces);
        let ways: BTreeSet<_> = lines
            .filter(|line| line.id == self.namespace)
            .map(|line| {
                (
                    line.identifier.as_str(),
                    input_word(line.input),
                    checksum_word(line.checksum),
                )
            })
            .collect();
        if ways.len() <= 1 {
            Ok(())
        } else {
            Err(ClientError::Protocol(
                "a namespace that is described in two ways",
            ))
        }
    }

    fn element(&self, chain: &ChainView) -> Option<ElementName> {
        let wanted = Some(&self.namespace);
        let mut elements = chain.elements.iter();
        let found = elements.find(|element| element.treatment().namespace() == wanted)?;
        Some(found.name().clone())
    }

    fn source_keys(&self) -> Result<SourceKeys, CliError> {
        let mut keys = SourceKeys::default();
        if let Some(path) = &self.source_key {
            keys.insert(self.namespace.clone(), read_source_key(path)?);
        }
        Ok(keys)
    }

    fn identifier(&self) -> Result<Identifier, CliError> {
        let path = &self.identifier_file;
        if path.as_os_str() != "-" {
            let file = File::open(path).map_err(CliError::reading(path))?;
            return read_identifier(file, &path.display().to_string(), self.encoding);
        }
        if io::stdin().is_terminal() {
            let typed = secret::read_line("identifier")?;
            return read_identifier(typed.as_bytes(), "what was typed", Encoding::Utf8);
        }
        read_identifier(io::stdin().lock(), "standard input", self.encoding)
    }
}

/// How an identifier is sent, and as what.
struct Place {
    element: ElementName,
    step: SendStep,
}

/// Whether a line is not the identifier but what stands above it in a table.
fn is_header(value: &[u8], element: &ElementName, namespace: &NamespaceId) -> bool {
    let text = value.trim_ascii();
    [element.as_str(), namespace.as_str()]
        .iter()
        .any(|name| text.eq_ignore_ascii_case(name.as_bytes()))
}
