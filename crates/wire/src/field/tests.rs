use sluis_domain::{ChainId, Reason};

use super::*;

#[test]
fn errors_name_the_field_and_do_not_quote_it() {
    for text in ["", "not an id!"] {
        let invalid = required::<ChainId>("open.chain_id", text).expect_err("not an id");
        assert_eq!(invalid.reason, Reason::InvalidRequest);
        assert_eq!(invalid.field, "open.chain_id");
        assert!(!format!("{invalid:?}").contains("not an id!"));
    }
    assert!(optional_time("not_before", "yesterday").is_err());
    assert_eq!(optional_time("not_before", ""), Ok(None));
}

#[test]
fn an_error_in_a_list_names_the_index() {
    let texts = ["a", "Not an id", "b"].map(str::to_owned);
    let invalid = each::<ChainId, Vec<_>>("chains", &texts).expect_err("not an id");
    assert_eq!(invalid.field, "chains[1]");
    assert_eq!(invalid.within("page").field, "page.chains[1]");
}

#[test]
fn a_kid_is_eight_hexadecimal_digits() {
    assert_eq!(kid("kid", "0000a1B2").map(Kid::get).ok(), Some(0xa1b2));
    for bad in [
        "",
        "00000000",
        "a1b2",
        "+0000001",
        "0000000000000001",
        "0000000g",
    ] {
        assert_eq!(
            kid("kid", bad).map_err(|it| it.field),
            Err("kid".to_owned()),
            "{bad}"
        );
    }
}

#[test]
fn numbers_and_lists_have_an_end() {
    assert_eq!(number_or("limit", 0, 5, 9), Ok(5));
    assert_eq!(number_or("limit", 9, 5, 9), Ok(9));
    for invalid in [
        number_or("limit", 10, 5, 9).map(drop),
        at_most("limit", 10, 9),
        digest("limit", &[0; 31]).map(drop),
        narrow::<u8>("limit", 256).map(drop),
        present::<()>("limit", None),
    ] {
        assert_eq!(invalid.map_err(|it| it.field), Err("limit".to_owned()));
    }
}
