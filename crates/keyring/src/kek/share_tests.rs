//! Shares: split, text form, collection.

use proptest::prelude::*;
use sluis_crypto::wrap;

use super::*;
use crate::{Collecting, KekRecord};

fn texts(shares: &[Share]) -> Vec<String> {
    shares
        .iter()
        .map(|share| share.text().to_string())
        .collect()
}

fn parse(text: &str) -> Share {
    text.parse().expect("a share")
}

/// The key that the shares at these places make, if they do.
fn collect(kek: &Kek, texts: &[String], places: &[usize]) -> Option<Kek> {
    let mut collecting = Collecting::new(&KekRecord::of(kek)).expect("in shares");
    let mut made = None;
    for place in places {
        assert!(made.is_none(), "no share after the key was made");
        made = collecting
            .give(parse(&texts[*place]))
            .expect("a right share");
    }
    made
}

#[test]
fn any_threshold_of_the_shares_makes_the_key_and_fewer_do_not() {
    for (threshold, shares) in [(2, 2), (2, 3), (3, 5), (5, 5), (16, 16)] {
        let (kek, split) = Kek::split(threshold, shares).expect("splits");
        let texts = texts(&split);
        assert_eq!(
            split.iter().map(Share::index).collect::<Vec<_>>(),
            (1..=shares).collect::<Vec<_>>()
        );
        // Every run of neighbours around the ring, forwards and backwards.
        for start in 0..usize::from(shares) {
            let places: Vec<_> = (0..usize::from(threshold))
                .map(|step| (start + step) % usize::from(shares))
                .collect();
            let backwards: Vec<_> = places.iter().rev().copied().collect();
            for places in [&places, &backwards] {
                let made = collect(&kek, &texts, places).expect("enough");
                assert_eq!(made.secret(), kek.secret());
                assert_eq!(made.protection(), kek.protection());
                assert!(collect(&kek, &texts, &places[1..]).is_none(), "one fewer");
            }
        }
    }
}

#[test]
fn one_share_fewer_makes_any_key_whatever() {
    // Not the key, and not always the same: two of three shares of a 3-of-3 split are completed by a made-up one.
    let (kek, split) = Kek::split(3, 3).expect("splits");
    let mut points: Vec<_> = split.iter().map(Share::point).collect();
    let mut made = std::collections::BTreeSet::new();
    for guess in 0..=u8::MAX {
        points[2][1] = guess;
        let bytes = Gf256::combine_array(&points).expect("combines");
        assert_eq!(
            bytes[1..],
            kek.secret().expose()[1..],
            "the other bytes do not depend on it"
        );
        made.insert(bytes[0]);
    }
    assert_eq!(
        made.len(),
        256,
        "every first byte is as possible as any other"
    );
}

#[test]
fn impossible_numbers_are_refused() {
    for (threshold, shares) in [
        (0, 0),
        (0, 3),
        (1, 1),
        (1, 3),
        (4, 3),
        (2, MAX_SHARES + 1),
        (255, 255),
    ] {
        assert_eq!(
            Kek::split(threshold, shares).map(drop),
            Err(ShareError::Numbers),
            "{threshold} of {shares}"
        );
    }
}

#[test]
fn the_text_is_frozen() {
    let share = Share {
        set: [1, 2, 3, 4, 5, 6, 7, 8],
        threshold: 3,
        index: 5,
        secret: Secret::from_slice(&[0xa5; 32]).expect("32"),
    };
    // Made with Python: base64.b32encode and zlib.crc32.
    let text =
        "sluisshare1aeaqeayeaudaocadaws2ljnfuws2ljnfuws2ljnfuws2ljnfuws2ljnfuws2ljnfuws2lrhqyaba";
    assert_eq!(share.text().as_str(), text);
    for text in [text.to_owned(), text.to_uppercase()] {
        let read = parse(&text);
        assert_eq!((read.set, read.threshold, read.index), (share.set, 3, 5));
        assert_eq!(read.secret, share.secret);
    }
    assert_eq!(format!("{share:?}"), "Share(5 of set 0102030405060708)");
}

#[test]
fn every_wrong_character_is_found() {
    let (_, split) = Kek::split(2, 2).expect("splits");
    let text = split[0].text().to_string();
    assert_eq!(text.len(), TEXT);
    for place in 0..text.len() {
        for other in "abcdefghijklmnopqrstuvwxyz234567189 -=\n\u{e9}".chars() {
            let mut changed: Vec<char> = text.chars().collect();
            if changed[place] != other {
                changed[place] = other;
                let changed: String = changed.into_iter().collect();
                assert_eq!(
                    changed.parse::<Share>().map(drop),
                    Err(ShareError::Malformed),
                    "{place}: {other:?}"
                );
            }
        }
        assert!(text[..place].parse::<Share>().is_err());
    }
    for around in [
        format!(" {text}"),
        format!("{text}\n"),
        format!("{text}a"),
        format!("{text}{text}"),
    ] {
        assert!(around.parse::<Share>().is_err());
    }
}

/// The text of any 43 bytes with the right check sum.
fn forged(body: &[u8; BODY]) -> String {
    let bytes = [&body[..], &crc32fast::hash(body).to_be_bytes()].concat();
    format!("{PREFIX}{}", BASE32_NOPAD.encode(&bytes))
}

fn body(version: u8, threshold: u8, index: u8) -> [u8; BODY] {
    let mut body = [7; BODY];
    (body[0], body[9], body[10]) = (version, threshold, index);
    body
}

#[test]
fn impossible_content_with_a_right_check_sum_is_malformed() {
    assert!(forged(&body(1, 2, 1)).parse::<Share>().is_ok());
    assert!(
        forged(&body(1, MAX_SHARES, MAX_SHARES))
            .parse::<Share>()
            .is_ok()
    );
    for (version, threshold, index) in [
        (0, 2, 1),
        (2, 2, 1),
        (1, 0, 1),
        (1, 1, 1),
        (1, 17, 1),
        (1, 2, 0),
        (1, 2, 17),
    ] {
        let text = forged(&body(version, threshold, index));
        assert_eq!(
            text.parse::<Share>().map(drop),
            Err(ShareError::Malformed),
            "{version} {threshold} {index}"
        );
    }
}

proptest! {
    #[test]
    fn a_share_is_read_back_in_either_case(set: [u8; SET_ID], threshold in 2..=MAX_SHARES, index in 1..=MAX_SHARES, secret: [u8; 32]) {
        let share = Share { set, threshold, index, secret: Secret::from_slice(&secret).expect("32 bytes") };
        let text = share.text();
        prop_assert_eq!(text.len(), TEXT);
        for text in [text.to_string(), text.to_ascii_uppercase()] {
            let read: Share = text.parse().expect("reads");
            prop_assert_eq!((read.set, read.threshold, read.index), (set, threshold, index));
            prop_assert_eq!(read.secret.expose(), &secret);
        }
    }

    #[test]
    fn other_text_is_refused_without_a_panic(text in "\\PC{0,100}", tail in "[a-z2-7]{70,80}") {
        prop_assert!(text.parse::<Share>().is_err());
        prop_assert!(format!("{PREFIX}{tail}").parse::<Share>().is_err(), "one in 2^32 passes by chance");
    }
}

#[test]
fn each_wrong_share_is_named_and_the_right_ones_stay() {
    let (kek, split) = Kek::split(3, 5).expect("splits");
    let (_, earlier) = Kek::split(3, 5).expect("splits");
    let mut collecting = Collecting::new(&KekRecord::of(&kek)).expect("in shares");
    let give = |collecting: &mut Collecting, share: &Share| {
        collecting
            .give(parse(&share.text()))
            .map(|made| made.is_some())
    };
    assert_eq!(
        (
            collecting.needed(),
            collecting.set().threshold(),
            collecting.set().shares()
        ),
        (3, 3, 5)
    );
    assert_eq!(give(&mut collecting, &split[4]), Ok(false));
    assert_eq!(
        give(&mut collecting, &split[4]),
        Err(ShareError::Repeated(5))
    );
    assert_eq!(
        give(&mut collecting, &earlier[0]),
        Err(ShareError::OtherSet)
    );
    let mut bytes = *split[0].secret.expose();
    bytes[31] ^= 1;
    let changed = |index, threshold, secret: &[u8]| Share {
        set: split[0].set,
        threshold,
        index,
        secret: Secret::from_slice(secret).expect("32 bytes"),
    };
    assert_eq!(
        give(&mut collecting, &changed(1, 3, &bytes)),
        Err(ShareError::Wrong),
        "other content"
    );
    let own = split[0].secret.expose();
    assert_eq!(
        give(&mut collecting, &changed(2, 3, own)),
        Err(ShareError::Wrong),
        "another's number"
    );
    assert_eq!(
        give(&mut collecting, &changed(6, 3, own)),
        Err(ShareError::Wrong),
        "a number there is not"
    );
    assert_eq!(
        give(&mut collecting, &changed(1, 2, own)),
        Err(ShareError::Wrong),
        "another threshold"
    );
    assert_eq!((collecting.needed(), collecting.given()), (2, vec![5]));
    assert_eq!(give(&mut collecting, &split[0]), Ok(false));
    assert_eq!(give(&mut collecting, &split[2]), Ok(true));
    assert_eq!(
        (collecting.needed(), collecting.given()),
        (3, vec![]),
        "all are forgotten once they made the key"
    );
}

#[test]
fn a_reset_forgets_all_shares() {
    let (kek, split) = Kek::split(2, 2).expect("splits");
    let mut collecting = Collecting::new(&KekRecord::of(&kek)).expect("in shares");
    collecting.give(parse(&split[0].text())).expect("right");
    collecting.reset();
    assert_eq!(collecting.needed(), 2);
    assert!(
        collecting
            .give(parse(&split[1].text()))
            .expect("right")
            .is_none()
    );
    assert!(
        collecting
            .give(parse(&split[0].text()))
            .expect("not repeated")
            .is_some()
    );
}

#[test]
fn right_shares_of_another_key_are_refused_as_a_whole() {
    let (kek, split) = Kek::split(2, 2).expect("splits");
    let record = KekRecord {
        check: wrap::check_value(&Secret::random()),
        ..KekRecord::of(&kek)
    };
    let mut collecting = Collecting::new(&record).expect("in shares");
    assert!(
        collecting
            .give(parse(&split[0].text()))
            .expect("right")
            .is_none()
    );
    assert_eq!(
        collecting.give(parse(&split[1].text())).map(drop),
        Err(ShareError::WrongKek)
    );
    assert_eq!(collecting.needed(), 2);
}

#[test]
fn nothing_shows_the_content_of_a_share() {
    let (kek, split) = Kek::split(2, 3).expect("splits");
    let mut collecting = Collecting::new(&KekRecord::of(&kek)).expect("in shares");
    collecting.give(parse(&split[0].text())).expect("right");
    let set = split[0].set();
    assert_eq!(
        format!("{collecting:?}"),
        format!("Collecting(1 of 2 shares of set {set})")
    );
    assert_eq!(format!("{kek:?}"), "Kek(from shares)");
}
