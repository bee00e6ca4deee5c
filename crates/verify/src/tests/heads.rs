//! What a witness says to the next head.

use sluis_tlog::Checkpoint;

use super::forge::{Forge, story};
use crate::witness::{Alarm, Head, Seen};

fn text(log: &Forge, path: &str) -> String {
    String::from_utf8(log.export().0[path].clone()).expect("text")
}

#[test]
fn the_key_is_followed_through_a_handover_signed_by_both() {
    let log = story();
    let (note, new, old) = (
        text(&log, "checkpoint"),
        log.verifier_key(1),
        log.verifier_key(0),
    );
    let handovers = [text(&log, "handovers/000")];
    let head =
        |handovers: &[String], trusted| Head::read(&note, &new.to_string(), handovers, trusted);
    assert!(head(&[], None).is_ok_and(|head| !head.rotated));
    assert!(head(&[], Some(&new)).is_ok_and(|head| !head.rotated));
    let followed = head(&handovers, Some(&old)).expect("handed over");
    assert!(followed.rotated && followed.key == new);
    assert!(matches!(head(&[], Some(&old)), Err(Alarm::OtherKey { .. })));
    assert!(
        matches!(
            head(std::slice::from_ref(&note), Some(&old)),
            Err(Alarm::OtherKey { .. })
        ),
        "signed by one only"
    );
    assert_eq!(Head::read(&note, "no key", &[], None), Err(Alarm::NotAKey));
    assert!(matches!(
        Head::read(&note, &old.to_string(), &[], None),
        Err(Alarm::Signature(_))
    ));
}

#[test]
fn a_fork_a_roll_back_and_a_false_proof_are_alarms() {
    let log = story();
    let head = Head::read(
        &text(&log, "checkpoint"),
        &log.verifier_key(1).to_string(),
        &[],
        None,
    )
    .expect("signed");
    let (size, root) = (head.checkpoint.size(), *head.checkpoint.root());
    let seen = |size, root| Checkpoint::new(head.checkpoint.origin(), size, root).expect("a line");
    assert_eq!(head.after(&seen(size, root)), Ok(Seen::Same));
    assert_eq!(head.after(&seen(size, [0; 32])), Err(Alarm::Forked(size)));
    assert_eq!(
        head.after(&seen(size + 1, root)),
        Err(Alarm::RolledBack {
            old: size + 1,
            new: size
        })
    );
    assert_eq!(
        head.after(&seen(size - 1, root)),
        Ok(Seen::Grown {
            old: size - 1,
            new: size
        })
    );
    let false_proof = head.continues(&seen(256, [0; 32]), &[[1; 32]]);
    assert!(matches!(false_proof, Err(Alarm::NotContinued(_))));
}
