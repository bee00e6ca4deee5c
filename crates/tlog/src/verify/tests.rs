use super::*;
use crate::oracle::{leaves, path, proof, root};

/// The hash with one bit turned over.
fn flipped(hash: &Hash, bit: usize) -> Hash {
    let mut hash = *hash;
    hash[bit / 8] ^= 1 << (bit % 8);
    hash
}

/// Proofs that differ from a true one: a hash changed, missing, doubled, added, or in another place.
fn falsified(proof: &[Hash]) -> Vec<Vec<Hash>> {
    let mut all = Vec::new();
    let mut change = |change: &dyn Fn(&mut Vec<Hash>)| {
        let mut changed = proof.to_vec();
        change(&mut changed);
        if changed != proof {
            all.push(changed);
        }
    };
    for at in 0..proof.len() {
        change(&|proof| proof[at] = flipped(&proof[at], 9 * at % 256));
        change(&|proof| *proof = [&proof[..at], &proof[at + 1..]].concat());
        change(&|proof| proof.insert(at, proof[at]));
        change(&|proof| proof.swap(at, 0));
    }
    change(&|proof| proof.push([0; 32]));
    change(&|proof| proof.insert(0, [0; 32]));
    change(&|proof| proof.push(EMPTY_ROOT));
    all
}

#[test]
fn a_false_inclusion_proof_is_refused() {
    let leaves = leaves(40);
    for size in 1..=leaves.len() {
        let root = root(&leaves[..size]);
        for index in 0..size {
            let proof = path(index, &leaves[..size]);
            let verify = |at: usize, leaf: &Hash, proof: &[Hash], root: &Hash| {
                verify_inclusion(at as u64, size as u64, leaf, proof, root)
            };
            assert_eq!(verify(index, &leaves[index], &proof, &root), Ok(()));
            for changed in falsified(&proof) {
                let expected = if changed.len() == proof.len() {
                    VerifyError::Inclusion
                } else {
                    VerifyError::Length(changed.len())
                };
                assert_eq!(
                    verify(index, &leaves[index], &changed, &root),
                    Err(expected),
                    "{index} in {size}"
                );
            }
            assert_eq!(
                verify(index, &flipped(&leaves[index], 255), &proof, &root),
                Err(VerifyError::Inclusion)
            );
            assert_eq!(
                verify(index, &leaves[index], &proof, &flipped(&root, 0)),
                Err(VerifyError::Inclusion)
            );
            for other in (0..size).filter(|other| *other != index) {
                assert!(
                    verify(other, &leaves[index], &proof, &root).is_err(),
                    "{index} as {other} in {size}"
                );
                assert!(
                    verify(index, &leaves[other], &proof, &root).is_err(),
                    "{other} as {index} in {size}"
                );
            }
            let refused = VerifyError::NotInTree {
                index: size as u64,
                size: size as u64,
            };
            assert_eq!(verify(size, &leaves[index], &proof, &root), Err(refused));
        }
    }
}

#[test]
fn a_false_consistency_proof_is_refused() {
    let leaves = leaves(40);
    for new in 0..=leaves.len() {
        let new_root = root(&leaves[..new]);
        for old in 0..=new {
            let (proof, old_root) = (proof(old, &leaves[..new]), root(&leaves[..old]));
            let verify = |old_root: &Hash, new_root: &Hash, proof: &[Hash]| {
                verify_consistency(old as u64, old_root, new as u64, new_root, proof)
            };
            assert_eq!(verify(&old_root, &new_root, &proof), Ok(()));
            for changed in falsified(&proof) {
                let refused = verify(&old_root, &new_root, &changed).expect_err("a false proof");
                let by_length = refused == VerifyError::Length(changed.len());
                assert_eq!(
                    by_length,
                    changed.len() != proof.len(),
                    "{old}..{new}: {refused}"
                );
            }
            // From nothing every log continues, so only the empty root itself can be wrong.
            let refused = verify(&flipped(&old_root, 3), &new_root, &proof);
            assert!(refused.is_err(), "{old}..{new}");
            if old > 0 {
                assert_eq!(
                    verify(&old_root, &flipped(&new_root, 3), &proof),
                    Err(VerifyError::NewRoot),
                    "{old}..{new}"
                );
            }
        }
    }
}

#[test]
fn every_bit_of_a_proof_counts() {
    let leaves = leaves(23);
    let (old_root, new_root) = (root(&leaves[..13]), root(&leaves));
    let (inclusion, consistency) = (path(13, &leaves), proof(13, &leaves));
    assert!(inclusion.len() >= 4 && consistency.len() >= 4);
    for bit in 0..256 {
        for at in 0..inclusion.len() {
            let mut changed = inclusion.clone();
            changed[at] = flipped(&changed[at], bit);
            assert_eq!(
                verify_inclusion(13, 23, &leaves[13], &changed, &new_root),
                Err(VerifyError::Inclusion)
            );
        }
        for at in 0..consistency.len() {
            let mut changed = consistency.clone();
            changed[at] = flipped(&changed[at], bit);
            assert!(
                verify_consistency(13, &old_root, 23, &new_root, &changed).is_err(),
                "hash {at}, bit {bit}"
            );
        }
    }
}

#[test]
fn a_forked_or_shortened_log_is_refused() {
    let leaves = leaves(20);
    let mut forked = leaves.clone();
    forked[3] = flipped(&forked[3], 0);
    let (old_root, new_root) = (root(&leaves[..12]), root(&forked));
    let refused = verify_consistency(12, &old_root, 20, &new_root, &proof(12, &forked));
    assert_eq!(refused, Err(VerifyError::OldRoot));
    let refused = verify_consistency(20, &root(&leaves), 12, &old_root, &[]);
    assert_eq!(refused, Err(VerifyError::Shrunk { old: 20, new: 12 }));
    let refused = verify_consistency(20, &root(&leaves), 20, &root(&forked), &[]);
    assert_eq!(refused, Err(VerifyError::NewRoot));
}

#[test]
fn the_empty_log_has_one_root() {
    let some = root(&leaves(4));
    assert_eq!(verify_consistency(0, &EMPTY_ROOT, 4, &some, &[]), Ok(()));
    assert_eq!(
        verify_consistency(0, &EMPTY_ROOT, 0, &EMPTY_ROOT, &[]),
        Ok(())
    );
    assert_eq!(
        verify_consistency(0, &some, 4, &some, &[]),
        Err(VerifyError::OldRoot)
    );
    assert_eq!(
        verify_consistency(0, &EMPTY_ROOT, 0, &some, &[]),
        Err(VerifyError::NewRoot)
    );
    assert_eq!(
        verify_consistency(0, &EMPTY_ROOT, 4, &some, &[some]),
        Err(VerifyError::Length(1))
    );
    assert_eq!(
        verify_consistency(4, &some, 5, &some, &[]),
        Err(VerifyError::Length(0))
    );
    assert_eq!(
        verify_inclusion(0, 0, &some, &[], &EMPTY_ROOT),
        Err(VerifyError::NotInTree { index: 0, size: 0 })
    );
}

/// A proof much longer than any tree is high ends in an error, not in an overflow.
#[test]
fn a_long_proof_is_refused() {
    let long = vec![[7; 32]; 10_000];
    assert_eq!(
        verify_inclusion(u64::MAX - 1, u64::MAX, &[1; 32], &long, &[2; 32]),
        Err(VerifyError::Length(10_000))
    );
    let refused = verify_consistency(u64::MAX - 1, &[1; 32], u64::MAX, &[2; 32], &long);
    assert_eq!(refused, Err(VerifyError::Length(10_000)));
}
