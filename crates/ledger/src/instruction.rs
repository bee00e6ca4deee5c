//! What a custodian instructs the daemon to do with keys, as they sign it.
//!
//! No one else need agree, so the signature is all that shows who did it. It must serve once: an instruction names the last
//! act of custody before it by the hash of its entry, and stands in the log as the next one.

use sluis_domain::codec::{DecodeError, Reader, Writer};
use sluis_domain::{ChainId, Kid, NamespaceId, Timestamp};

use crate::audit::Act;
use crate::statement::CLOCKS_DIFFER_MILLIS;
use crate::statement::Deed;

const FORMAT: u8 = 1;

/// How long an instruction may be on its way: ten minutes, in milliseconds.
pub const LIFE_MILLIS: u64 = 10 * 60 * 1000;

/// What is to be done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Task {
    /// New versions for the key lines of a chain.
    RotateChain {
        /// The chain.
        chain: ChainId,
        /// The line of this namespace; `None`: all lines, the one of encrypted elements too.
        namespace: Option<NamespaceId>,
    },
    /// A convert-only version is disabled.
    DisableVersion {
        /// The version.
        kid: Kid,
        /// Its chain.
        chain: ChainId,
        /// Its namespace; `None`: the chain's encrypted elements.
        namespace: Option<NamespaceId>,
    },
    /// A new signing key for the log.
    RotateAuditKey,
}

impl Task {
    /// The act that it becomes.
    pub fn act(&self) -> Act {
        match self {
            Self::RotateChain { .. } => Act::RotateChain,
            Self::DisableVersion { .. } => Act::DisableVersion,
            Self::RotateAuditKey => Act::RotateAuditKey,
        }
    }

    /// What the custodian says about the instruction.
    pub fn deed(&self) -> Deed {
        match self {
            Self::RotateChain { .. } => Deed::RotateChain,
            Self::DisableVersion { .. } => Deed::DisableVersion,
            Self::RotateAuditKey => Deed::RotateAuditKey,
        }
    }

    /// The chain, if it is about one.
    pub fn chain(&self) -> Option<&ChainId> {
        match self {
            Self::RotateChain { chain, .. } | Self::DisableVersion { chain, .. } => Some(chain),
            Self::RotateAuditKey => None,
        }
    }
}

/// An instruction of one custodian.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Instruction {
    /// What is to be done.
    pub task: Task,
    /// Registry version in force.
    pub registry_version: u64,
    /// Hash, as a leaf of the log, of the last entry that [ends the life of instructions](ends_instructions).
    pub after: [u8; 32],
    /// When it was signed, by the custodian's clock.
    pub at: Timestamp,
}

impl Instruction {
    /// The canonical bytes.
    ///
    /// | field | bytes |
    /// |---|---|
    /// | format | 1: `0x01` |
    /// | act | 1: 11, 12 or 26 |
    /// | kid | 4: only of 12 |
    /// | chain, namespace | LP, LP: only of 11 (empty namespace: all lines) and 12 (empty: encrypted elements) |
    /// | registry version | 8 |
    /// | after | 32 |
    /// | at | 8 |
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer::new(FORMAT);
        out.u8(self.task.act() as u8);
        if let Task::DisableVersion { kid, .. } = &self.task {
            out.fixed(&kid.to_be_bytes());
        }
        if let Task::RotateChain { chain, namespace }
        | Task::DisableVersion {
            chain, namespace, ..
        } = &self.task
        {
            out.lp(chain.as_str());
            out.lp(namespace.as_ref().map_or("", NamespaceId::as_str));
        }
        out.u64(self.registry_version).fixed(&self.after);
        out.u64(self.at.millis()).finish()
    }

    /// Reads canonical bytes back.
    ///
    /// # Errors
    /// [`DecodeError`] for anything that [`Self::encode`] would not write.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut input = Reader::new(bytes, FORMAT)?;
        let act = input.u8()?;
        let task = if act == Act::RotateChain as u8 {
            Task::RotateChain {
                chain: input.parse()?,
                namespace: input.parse_optional()?,
            }
        } else if act == Act::DisableVersion as u8 {
            Task::DisableVersion {
                kid: Kid::from_be_bytes(input.array()?).ok_or(DecodeError)?,
                chain: input.parse()?,
                namespace: input.parse_optional()?,
            }
        } else if act == Act::RotateAuditKey as u8 {
            Task::RotateAuditKey
        } else {
            return Err(DecodeError);
        };
        let instruction = Self {
            task,
            registry_version: input.u64()?,
            after: input.array()?,
            at: Timestamp::from_millis(input.u64()?).ok_or(DecodeError)?,
        };
        input.end()?;
        Ok(instruction)
    }

    /// Whether an act of this moment may still follow it.
    pub fn is_fresh(&self, now: Timestamp) -> bool {
        self.at <= now.plus_millis(CLOCKS_DIFFER_MILLIS) && now <= self.at.plus_millis(LIFE_MILLIS)
    }
}

/// Whether no instruction that was signed before an entry of this act may follow it: another instruction was followed, others
/// are custodians, or the log goes on from a backup.
pub fn ends_instructions(act: Act) -> bool {
    matches!(
        act,
        Act::Initialise
            | Act::Custodians
            | Act::AcceptRestore
            | Act::RotateChain
            | Act::DisableVersion
            | Act::RotateAuditKey
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instruction(task: Task) -> Instruction {
        Instruction {
            task,
            registry_version: 7,
            after: [0xaa; 32],
            at: Timestamp::from_millis(0x0102).expect("small"),
        }
    }

    #[test]
    fn canonical_bytes_are_frozen_and_cuts_are_refused() {
        let chain: ChainId = "c".parse().expect("an id");
        let cases: [(Task, &[u8]); 3] = [
            (
                Task::RotateChain {
                    chain: chain.clone(),
                    namespace: None,
                },
                b"\x01\x0b\0\x01c\0\0",
            ),
            (
                Task::DisableVersion {
                    kid: Kid::new(9).expect("not zero"),
                    chain,
                    namespace: "n".parse().ok(),
                },
                b"\x01\x0c\0\0\0\x09\0\x01c\0\x01n",
            ),
            (Task::RotateAuditKey, b"\x01\x1a"),
        ];
        for (task, begins) in cases {
            let rest = [
                &7u64.to_be_bytes()[..],
                &[0xaa; 32],
                &[0, 0, 0, 0, 0, 0, 1, 2],
            ]
            .concat();
            let expected = [begins, &rest].concat();
            let instruction = instruction(task);
            assert_eq!(instruction.encode(), expected);
            assert_eq!(Instruction::decode(&expected), Ok(instruction));
            for end in 0..expected.len() {
                assert_eq!(Instruction::decode(&expected[..end]), Err(DecodeError));
            }
            assert_eq!(
                Instruction::decode(&[&expected[..], &[0]].concat()),
                Err(DecodeError)
            );
        }
    }

    #[test]
    fn an_instruction_is_fresh_for_ten_minutes() {
        let signed = Timestamp::from_millis(1_000_000_000).expect("small");
        let instruction = Instruction {
            at: signed,
            ..instruction(Task::RotateAuditKey)
        };
        let at = |millis: i64| {
            let moved = signed.millis().checked_add_signed(millis).expect("small");
            instruction.is_fresh(Timestamp::from_millis(moved).expect("small"))
        };
        assert!(at(0) && at(-60_000) && at(600_000));
        assert!(!at(-60_001) && !at(600_001));
    }
}
