use proptest::prelude::*;

use super::*;

/// A block of this label that holds `bytes`.
fn pem(label: &str, bytes: &[u8]) -> String {
    let base64 = BASE64.encode(bytes);
    let lines: Vec<_> = base64
        .as_bytes()
        .chunks(64)
        .map(|line| std::str::from_utf8(line).expect("ASCII"))
        .collect();
    format!(
        "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
        lines.join("\n")
    )
}

fn list(byte: u8) -> String {
    pem("X509 CRL", &[byte; 100])
}

fn refused(content: impl AsRef<[u8]>) -> String {
    revocation_lists(content.as_ref())
        .expect_err("refused")
        .to_string()
}

fn two_lists(content: &str) {
    let found = revocation_lists(content.as_bytes()).unwrap_or_else(|e| panic!("{e}: {content}"));
    let first_bytes: Vec<_> = found.iter().map(|block| block.der[0]).collect();
    assert_eq!(first_bytes, [1, 2]);
}

#[test]
fn a_list_behind_a_byte_order_mark_is_not_skipped() {
    for before in ["", "# a comment\n"] {
        let content = format!("{before}\u{feff}{}{}", list(1), list(2));
        let said = refused(content);
        assert!(said.contains("byte order mark"), "{said}");
    }
    let between = refused(format!("{}\u{feff}{}", list(1), list(2)));
    assert!(
        between.starts_with("line 6: a byte order mark"),
        "{between}"
    );
}

#[test]
fn a_block_with_a_damaged_first_or_last_line_is_not_skipped() {
    let whole = list(2);
    for (from, to) in [
        ("-----BEGIN", " -----BEGIN"),
        ("-----BEGIN", "\t-----BEGIN"),
        ("-----BEGIN", "\u{a0}-----BEGIN"),
        ("-----BEGIN", "\u{200b}-----BEGIN"),
        ("-----BEGIN", "> -----BEGIN"),
        ("-----BEGIN", "#-----BEGIN"),
        ("-----BEGIN", "----BEGIN"),
        ("-----BEGIN", "------BEGIN"),
        ("-----BEGIN", "\u{2014}\u{2014}BEGIN"),
        ("-----BEGIN", "-----Begin"),
        ("-----BEGIN X509 CRL-----", "BEGIN X509 CRL"),
        ("-----BEGIN X509 CRL-----", "-----BEGIN X509 CRL----"),
        ("-----BEGIN X509 CRL-----", "-----BEGIN X509 CRL----- x"),
        ("-----BEGIN X509 CRL-----\n", ""),
        ("-----BEGIN X509 CRL-----\n", "-----BEGIN X509 CRL-----"),
        ("-----END", " -----END"),
        ("-----END X509 CRL-----", "-----END CERTIFICATE-----"),
        ("-----END X509 CRL-----", ""),
        ("-----END X509 CRL-----\n", ""),
        ("\n", "\r"),
    ] {
        let damaged = whole.replacen(from, to, if from == "\n" { 99 } else { 1 });
        assert_ne!(damaged, whole, "{from:?}");
        for content in [
            format!("{}{damaged}", list(1)),
            format!("{damaged}{}", list(1)),
        ] {
            assert!(
                revocation_lists(content.as_bytes()).is_err(),
                "{from:?} -> {to:?}"
            );
        }
    }
}

#[test]
fn line_ends_of_windows_and_text_between_blocks_are_accepted() {
    let plain = format!("{}{}", list(1), list(2));
    two_lists(&plain);
    two_lists(&plain.replace('\n', "\r\n"));
    two_lists(plain.trim_end());
    two_lists(&plain.replace('\n', " \n"));
    two_lists(&format!("\n\n{}\n\n{}\n", list(1), list(2)));
    let of_openssl = "Certificate Revocation List (CRL):\n        Version 2 (0x1)\n    Signature Value:\n        \
                      30:45:02:20:1f:8e\nissuer=CN=Some CA\n";
    two_lists(&format!("{of_openssl}{}{of_openssl}{}", list(1), list(2)));
    two_lists(&format!(
        "# the lists of Bürgeramt\n=====================\n{}## second\n{}",
        list(1),
        list(2)
    ));
}

#[test]
fn files_that_are_no_pem_are_named() {
    let mut utf16 = vec![0xff, 0xfe];
    utf16.extend(list(1).encode_utf16().flat_map(u16::to_le_bytes));
    for (content, said) in [
        (Vec::new(), "empty"),
        (b" \r\n".to_vec(), "empty"),
        (utf16.clone(), "UTF-16"),
        (utf16[2..].to_vec(), "UTF-16"),
        (b"hello\n".to_vec(), "no PEM block"),
        ([&[0x30, 0x82, 1, 0][..], &[7; 256]].concat(), "DER"),
        (
            [&[0x30, 0x82, 1, 0, 2, 1, 3][..], &[7; 256]].concat(),
            "PKCS#12",
        ),
        (vec![0x1f, 0x8b, 8, 0], "gzip"),
    ] {
        let seen = refused(content);
        assert!(seen.contains(said), "{seen}");
    }
}

#[test]
fn blocks_of_another_kind_are_refused_and_named() {
    for (label, said) in [
        ("CERTIFICATE", "a certificate"),
        ("TRUSTED CERTIFICATE", "TRUSTED CERTIFICATE"),
        ("PRIVATE KEY", "a private key"),
        ("PKCS7", "PKCS#7"),
        ("SOMETHING ELSE", "unknown kind"),
    ] {
        let seen = refused(format!("{}{}", list(1), pem(label, &[3; 50])));
        assert!(seen.contains(said) && seen.contains("line 6"), "{seen}");
    }
    let key_among_certificates = format!(
        "{}{}",
        pem("CERTIFICATE", &[1; 50]),
        pem("EC PRIVATE KEY", &[2; 50])
    );
    let seen = certificates(key_among_certificates.as_bytes()).expect_err("a key");
    assert!(seen.to_string().contains("a private key"), "{seen}");
}

#[test]
fn a_key_file_holds_one_key_that_is_not_encrypted() {
    let key = pem("PRIVATE KEY", &[1; 50]);
    let curve = pem("EC PARAMETERS", &[2; 10]);
    let sec1 = pem("EC PRIVATE KEY", &[3; 50]);
    assert_eq!(private_key(key.as_bytes()).expect("one").der[0], 1);
    let with_curve = format!("{curve}{sec1}");
    assert_eq!(private_key(with_curve.as_bytes()).expect("one").der[0], 3);
    let legacy = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\nAAAA\n\
                  -----END RSA PRIVATE KEY-----\n";
    for (content, said) in [
        (format!("{key}{sec1}"), "second private key"),
        (format!("{sec1}{curve}"), "parameters"),
        (
            format!("{}{key}", pem("CERTIFICATE", &[1; 50])),
            "a certificate",
        ),
        (pem("ENCRYPTED PRIVATE KEY", &[1; 50]), "encrypted"),
        (legacy.to_owned(), "encrypted"),
        (pem("OPENSSH PRIVATE KEY", &[1; 50]), "OpenSSH"),
        (curve.clone(), "no private key"),
    ] {
        let seen = private_key(content.as_bytes()).expect_err(said).to_string();
        assert!(seen.contains(said), "{seen}");
    }
}

#[test]
fn what_a_file_holds_is_in_no_error() {
    for content in [
        "-----BEGIN PRIVATE KEY-----\nMARKED-SECRET!\n-----END PRIVATE KEY-----\n",
        "-----BEGIN MARKED-----\nAAAA\n-----END MARKED-----\n",
        "MARKED\n-----BEGIN MARKED-----\nMARKED:MARKED\n-----END PRIVATE KEY-----\n",
        "MARKEDMARKEDMARKEDMARKEDMARKEDMARKEDMARKEDMARKED\n",
    ] {
        let seen = private_key(content.as_bytes()).expect_err("refused");
        assert!(!format!("{seen} {seen:?}").contains("MARKED"), "{seen}");
    }
}

proptest! {
    /// Whatever happens to one byte: both lists are found, or the file is refused, unless the byte made a block of another
    /// content, or of none, in which case it is still there.
    #[test]
    fn no_change_of_a_byte_makes_a_list_disappear(at in 0usize..400, byte: u8) {
        let mut content = format!("{}# between\n{}", list(1), list(2)).into_bytes();
        let at = at % content.len();
        content[at] = byte;
        if let Ok(found) = revocation_lists(&content) {
            prop_assert_eq!(found.len(), 2);
        }
    }

    #[test]
    fn no_bytes_make_it_panic(content: Vec<u8>) {
        let _ = blocks(&content);
    }
}
