use proptest::prelude::*;

use super::*;

struct Line {
    pseudonym_key: PseudonymKey,
    escrow: EscrowKeys,
}

impl Line {
    fn new(seed: u8) -> Self {
        let root = Secret::from_slice(&[seed; 32]).expect("32 bytes");
        let escrow_root = Secret::from_slice(&[seed + 1; 32]).expect("32 bytes");
        let kid = Kid::new(u32::from(seed) + 1).expect("not zero");
        Self {
            pseudonym_key: PseudonymKey::new(&root),
            escrow: EscrowKeys::new(&escrow_root, kid),
        }
    }
}

fn link_value(byte: u8) -> LinkValue {
    LinkValue::from_bytes([byte; 16])
}

fn namespace() -> NamespaceId {
    "nl.bsn".parse().expect("an id")
}

#[test]
fn a_link_row_gives_its_link_value_back() {
    let line = Line::new(1);
    let pseudonym = line.pseudonym_key.pseudonym(&link_value(9));
    let value = line.escrow.seal_link(&pseudonym, &link_value(9));
    assert_eq!(value, line.escrow.seal_link(&pseudonym, &link_value(9)));
    assert_eq!(
        line.escrow
            .open_link(&line.pseudonym_key, &pseudonym, &value),
        Ok(link_value(9))
    );
}

proptest! {
    /// Whole rows, changed ones, rows of another pseudonym, and values that are no rows, in every mixture.
    #[test]
    fn rows_open_together_as_they_open_alone(
        rows in proptest::collection::vec((any::<u8>(), 0..6u8), 0..18),
    ) {
        let line = Line::new(1);
        let stored: Vec<(Pseudonym, Vec<u8>)> = rows
            .into_iter()
            .map(|(subject, damage)| stored_row(&line, subject, damage))
            .collect();
        let pairs: Vec<_> = stored.iter().map(|(p, value)| (p, &value[..])).collect();
        let alone: Vec<_> = pairs
            .iter()
            .map(|(p, value)| line.escrow.open_link(&line.pseudonym_key, p, value))
            .collect();
        prop_assert_eq!(line.escrow.open_links(&line.pseudonym_key, &pairs), alone);
    }
}

fn stored_row(line: &Line, subject: u8, damage: u8) -> (Pseudonym, Vec<u8>) {
    let pseudonym = line.pseudonym_key.pseudonym(&link_value(subject));
    let mut value = line
        .escrow
        .seal_link(&pseudonym, &link_value(subject))
        .to_vec();
    match damage {
        0 => value.clear(),
        1 => value[0] ^= 1,
        2 => value[9] ^= 1,
        3 => value.push(0),
        4 => return (Pseudonym::from_bytes([subject; 16]), value),
        _ => {}
    }
    (pseudonym, value)
}

#[test]
fn every_flipped_bit_of_a_link_row_is_refused() {
    let line = Line::new(1);
    let pseudonym = line.pseudonym_key.pseudonym(&link_value(9));
    let value = line.escrow.seal_link(&pseudonym, &link_value(9));
    for bit in 0..8 * value.len() {
        let mut changed = value;
        changed[bit / 8] ^= 1 << (bit % 8);
        let expected = if bit < 8 {
            SealError::UnknownFormat
        } else {
            SealError::NotAuthentic
        };
        assert_eq!(
            line.escrow
                .open_link(&line.pseudonym_key, &pseudonym, &changed),
            Err(expected)
        );
    }
    for length in [0, 16, 18] {
        let value = vec![ROW_FORMAT; length];
        assert_eq!(
            line.escrow
                .open_link(&line.pseudonym_key, &pseudonym, &value),
            Err(SealError::WrongLength)
        );
    }
}

#[test]
fn a_link_row_moved_to_another_subject_or_version_is_refused() {
    let (line, other) = (Line::new(1), Line::new(3));
    let (p, q) = (
        line.pseudonym_key.pseudonym(&link_value(9)),
        line.pseudonym_key.pseudonym(&link_value(8)),
    );
    let value = line.escrow.seal_link(&p, &link_value(9));
    assert_eq!(
        line.escrow.open_link(&line.pseudonym_key, &q, &value),
        Err(SealError::NotAuthentic)
    );
    assert_eq!(
        other.escrow.open_link(&other.pseudonym_key, &p, &value),
        Err(SealError::NotAuthentic)
    );
    assert_eq!(
        other.escrow.open_link(&line.pseudonym_key, &p, &value),
        Err(SealError::NotAuthentic)
    );
}

#[test]
fn a_stored_row_leads_back_to_its_subject() {
    let (line, other) = (Line::new(1), Line::new(3));
    let (p, q) = (
        line.pseudonym_key.pseudonym(&link_value(9)),
        line.pseudonym_key.pseudonym(&link_value(8)),
    );
    let (key, value) = (
        line.escrow.row_key(&p),
        line.escrow.seal_link(&p, &link_value(9)),
    );
    assert_eq!(
        line.escrow.open_row(&line.pseudonym_key, &key, &value),
        Ok((p, link_value(9)))
    );
    let refused = Err(SealError::NotAuthentic);
    assert_eq!(
        line.escrow
            .open_row(&line.pseudonym_key, &line.escrow.row_key(&q), &value),
        refused
    );
    assert_eq!(
        other.escrow.open_row(&other.pseudonym_key, &key, &value),
        refused
    );
    for bit in 0..8 * ROW_KEY_LEN {
        let mut moved = key;
        moved[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(
            line.escrow.open_row(&line.pseudonym_key, &moved, &value),
            refused
        );
    }
    assert_eq!(
        line.escrow
            .open_row(&line.pseudonym_key, &key, &value[..16]),
        Err(SealError::WrongLength)
    );
}

#[test]
fn a_forged_pseudonym_and_row_are_refused() {
    let line = Line::new(1);
    let forged = Pseudonym::from_bytes([0x77; 16]);
    let value = line.escrow.seal_link(&forged, &link_value(9));
    assert_eq!(
        line.escrow.open_link(&line.pseudonym_key, &forged, &value),
        Err(SealError::NotAuthentic)
    );
}

#[test]
fn row_keys_begin_with_the_kid_and_hide_the_pseudonym() {
    let line = Line::new(1);
    let pseudonym = line.pseudonym_key.pseudonym(&link_value(9));
    let key = line.escrow.row_key(&pseudonym);
    assert_eq!(key[..4], line.escrow.kid().to_be_bytes());
    assert_ne!(&key[4..], pseudonym.as_bytes());
    assert_ne!(key[4..], Line::new(3).escrow.row_key(&pseudonym)[4..]);
}

/// Rows of two subjects sealed by one sealer: (row key, value) of each.
fn identity_rows(line: &Line) -> [([u8; ROW_KEY_LEN], Vec<u8>); 2] {
    let mut sealer = line.escrow.identity_sealer();
    [(9, b"950000012"), (8, b"111222333")].map(|(subject, identifier)| {
        let key = line
            .escrow
            .row_key(&line.pseudonym_key.pseudonym(&link_value(subject)));
        let mut value = Vec::new();
        sealer
            .seal(&namespace(), &key, identifier, &mut value)
            .expect("not exhausted");
        assert_eq!(value.len(), identifier.len() + IDENTITY_OVERHEAD);
        (key, value)
    })
}

#[test]
fn an_identity_row_opens_only_at_its_key_namespace_and_version() {
    let line = Line::new(1);
    let [(key, value), (other_key, other_value)] = identity_rows(&line);
    let mut out = Vec::new();
    assert_eq!(
        line.escrow
            .identity_opener()
            .open(&namespace(), &key, &value, &mut out),
        Ok(())
    );
    assert_eq!(
        line.escrow
            .identity_opener()
            .open(&namespace(), &other_key, &other_value, &mut out),
        Ok(())
    );
    assert_eq!(out, b"950000012111222333");

    let refused = Err(SealError::NotAuthentic);
    let elsewhere = "nl.bsx".parse().expect("an id");
    assert_eq!(
        line.escrow
            .identity_opener()
            .open(&namespace(), &other_key, &value, &mut out),
        refused
    );
    assert_eq!(
        line.escrow
            .identity_opener()
            .open(&elsewhere, &key, &value, &mut out),
        refused
    );
    assert_eq!(
        Line::new(3)
            .escrow
            .identity_opener()
            .open(&namespace(), &key, &value, &mut out),
        refused
    );
    assert_eq!(out.len(), 18, "a refused row leaves nothing behind");
}

#[test]
fn every_flipped_bit_of_an_identity_row_is_refused() {
    let line = Line::new(1);
    let [(key, value), _] = identity_rows(&line);
    let mut opener = line.escrow.identity_opener();
    for bit in 0..8 * value.len() {
        let mut changed = value.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        let expected = if bit < 8 {
            SealError::UnknownFormat
        } else {
            SealError::NotAuthentic
        };
        assert_eq!(
            opener.open(&namespace(), &key, &changed, &mut Vec::new()),
            Err(expected)
        );
    }
    assert_eq!(
        opener.open(&namespace(), &key, &[], &mut Vec::new()),
        Err(SealError::WrongLength)
    );
    assert_eq!(
        opener.open(&namespace(), &key, &value[..40], &mut Vec::new()),
        Err(SealError::WrongLength)
    );
}

proptest! {
    #[test]
    fn arbitrary_rows_are_refused(value in proptest::collection::vec(any::<u8>(), 0..80)) {
        let line = Line::new(1);
        let pseudonym = line.pseudonym_key.pseudonym(&link_value(9));
        let key = line.escrow.row_key(&pseudonym);
        prop_assert!(line.escrow.open_link(&line.pseudonym_key, &pseudonym, &value).is_err());
        prop_assert!(line.escrow.identity_opener().open(&namespace(), &key, &value, &mut Vec::new()).is_err());
    }
}
