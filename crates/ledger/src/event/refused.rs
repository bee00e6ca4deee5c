//! What was refused, in one body for all acts: what the act was about.
//!
//! | about | bytes |
//! |---|---|
//! | nothing that is known | 1: `0` |
//! | a chain | 1: `1`, LP chain |
//! | a grant | 1: `2`, then as [`GrantRef`] says; of `convert`, `reidentify`, `grant-approve`, `grant-deny`, `grant-revoke`, `grant-read` |
//! | a proposal | 1: `3`, 32: SHA-256 of its canonical bytes, LP chain (may be empty); of `proposal-sign`, `proposal-reject`, `proposal-read` |
//! | the text of a registry | 1: `4`, 32: SHA-256 of it; of `proposal` |
//!
//! Acts that the daemon does by itself or that signatures bring about are never refused.

use sluis_domain::codec::{DecodeError, Reader, Writer};
use sluis_domain::{ChainId, Reason};

use super::GrantRef;
use crate::audit::Act;

/// Something was refused.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// What.
    pub act: Act,
    /// Why.
    pub reason: Reason,
    /// What it was about.
    pub about: About,
}

/// What a refused act was about.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum About {
    /// Nothing that the custodian knows.
    #[default]
    Nothing,
    /// A chain that a registry has had.
    Chain(ChainId),
    /// A grant that was requested.
    Grant(GrantRef),
    /// A proposal that was made.
    Proposal {
        /// SHA-256 of its canonical bytes.
        digest: [u8; 32],
        /// The chain of the key version that was to end.
        chain: Option<ChainId>,
    },
    /// A registry that was not proposed: SHA-256 of its text.
    RegistryText([u8; 32]),
}

impl About {
    /// Whether a refused act can have been about this.
    pub fn fits(&self, act: Act) -> bool {
        match self {
            Self::Nothing | Self::Chain(_) => true,
            Self::Grant(_) => matches!(
                act,
                Act::Convert
                    | Act::Reidentify
                    | Act::ApproveGrant
                    | Act::DenyGrant
                    | Act::RevokeGrant
                    | Act::ReadGrants
            ),
            Self::Proposal { .. } => matches!(
                act,
                Act::SignProposal | Act::RejectProposal | Act::ReadProposals
            ),
            Self::RegistryText(_) => act == Act::Propose,
        }
    }

    fn write(&self, out: &mut Writer) {
        match self {
            Self::Nothing => drop(out.u8(0)),
            Self::Chain(chain) => drop(out.u8(1).lp(chain.as_str())),
            Self::Grant(grant) => grant.write(out.u8(2)),
            Self::Proposal { digest, chain } => {
                out.u8(3).fixed(digest);
                out.lp(chain.as_ref().map_or("", ChainId::as_str));
            }
            Self::RegistryText(digest) => drop(out.u8(4).fixed(digest)),
        }
    }

    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(match input.u8()? {
            0 => Self::Nothing,
            1 => Self::Chain(input.parse()?),
            2 => Self::Grant(GrantRef::read(input)?),
            3 => Self::Proposal {
                digest: input.array()?,
                chain: input.parse_optional()?,
            },
            4 => Self::RegistryText(input.array()?),
            _ => return Err(DecodeError),
        })
    }
}

impl Refusal {
    pub(super) fn write(&self, out: &mut Writer) {
        self.about.write(out);
    }

    pub(super) fn read(
        act: Act,
        reason: Reason,
        input: &mut Reader<'_>,
    ) -> Result<Self, DecodeError> {
        let about = About::read(input)?;
        if act.can_be_refused() && about.fits(act) {
            Ok(Self { act, reason, about })
        } else {
            Err(DecodeError)
        }
    }
}
