//! What the custodian says of a chain is acted on only where it is what the caller agreed to.

use std::path::PathBuf;

use clap::Args;
use sluis_client::ChainView;

use crate::connect::{ConnectArgs, path};
use crate::error::CliError;
use crate::pin::Pins;

/// The flag of every command that sends records or identifiers.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct ExpectArgs {
    /// Send nothing unless the custodian describes the chain as this file of `sluis chain pin` does (exit code 9) [default:
    /// the profile's `expect`]
    #[arg(long, env = "SLUIS_EXPECT", value_name = "FILE", hide_env_values = true, value_parser = path())]
    expect: Option<PathBuf>,
}

impl ExpectArgs {
    /// Reads what is expected, if anything is.
    pub(crate) fn read(&self, connect: &ConnectArgs) -> Result<Expectation, CliError> {
        let Some(path) = connect.expected(&self.expect)? else {
            return Ok(Expectation::default());
        };
        let pins = Pins::read(&path)?;
        Ok(Expectation(Some((path, pins))))
    }
}

/// What the caller agreed to; by default nothing in particular.
#[derive(Default, Debug)]
pub(crate) struct Expectation(Option<(PathBuf, Pins)>);

/// A chain as the custodian describes it, which is what the caller agreed to. Only [`Expectation::agree`] makes one.
#[derive(Debug)]
pub(crate) struct Agreed(ChainView);

impl Agreed {
    /// The description.
    pub(crate) fn chain(&self) -> &ChainView {
        &self.0
    }
}

impl Expectation {
    /// Takes the custodian's word where it is the one expected.
    ///
    /// # Errors
    /// [`CliError::Differs`] with every difference.
    pub(crate) fn agree(&self, told: ChainView) -> Result<Agreed, CliError> {
        let Some((path, pins)) = &self.0 else {
            return Ok(Agreed(told));
        };
        let (file, id) = (path.display(), told.id.as_str());
        let Some(pin) = pins.only(id) else {
            return Err(CliError::Differs {
                what: format!("chain {id} is not in {file}, so nothing was sent"),
                details: vec![format!(
                    "add it once you agreed to what it does: sluis chain pin {id}"
                )],
            });
        };
        let found = pin.differences(&Pins::of(std::slice::from_ref(&told)));
        if found.is_empty() {
            return Ok(Agreed(told));
        }
        Err(CliError::Differs {
            what: format!(
                "the custodian describes chain {id} otherwise than {file}, so nothing was sent"
            ),
            details: found.iter().map(ToString::to_string).collect(),
        })
    }

    /// Whether the custodian still says of a chain what it said before.
    ///
    /// # Errors
    /// As [`Self::agree`]; [`CliError::Differs`] with every difference.
    pub(crate) fn check_still(&self, agreed: &Agreed, told: ChainView) -> Result<(), CliError> {
        let told = self.agree(told)?;
        let [then, now] = [agreed, &told].map(|it| Pins::of(std::slice::from_ref(it.chain())));
        let found = then.differences(&now);
        if found.is_empty() {
            return Ok(());
        }
        Err(CliError::Differs {
            what: format!(
                "chain {} was changed while the input was read, so nothing was sent; look at it, and repeat",
                told.chain().id
            ),
            details: found.iter().map(ToString::to_string).collect(),
        })
    }

    /// Whether the caller agreed to anything in particular.
    pub(crate) fn is_pinned(&self) -> bool {
        self.0.is_some()
    }

    /// Whether a chain may be looked at: all of them, unless something is expected.
    pub(crate) fn names(&self, chain: &str) -> bool {
        let Some((_, pins)) = &self.0 else {
            return true;
        };
        pins.chains().any(|pinned| pinned == chain)
    }
}
