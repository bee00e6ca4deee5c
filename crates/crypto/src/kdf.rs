//! Key derivation: HKDF-Expand with SHA-256 (RFC 5869 section 2.3). The roots are uniformly random, so the extract step is
//! not needed (RFC 5869 section 3.3).

use hkdf::Hkdf;
use sha2::Sha256;

use crate::Secret;

/// `KDF(root, label)`: HKDF-Expand-SHA-256(root, label, 32).
pub fn kdf(root: &Secret, label: &[u8]) -> Secret {
    let hkdf = Hkdf::<Sha256>::from_prk(root.expose())
        .expect("a 32-byte root is as long as the hash, as HKDF asks");
    Secret::written_by(|key| {
        hkdf.expand(label, key)
            .expect("32 bytes are far below HKDF's limit of 8160")
    })
}

#[cfg(test)]
mod tests {
    use data_encoding::HEXLOWER;

    use super::*;

    /// RFC 5869 appendix A, test cases 1 to 3, the first 32 bytes of each OKM.
    #[test]
    fn rfc_5869_expand() {
        let to = |first: u8, last: u8| (first..=last).collect::<Vec<u8>>();
        let cases = [
            (
                "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5",
                to(0xf0, 0xf9),
                "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf",
            ),
            (
                "06a6b88c5853361a06104c9ceb35b45cef760014904671014a193f40c15fc244",
                to(0xb0, 0xff),
                "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c",
            ),
            (
                "19ef24a32c717b167f33a91d6f648bdf96596776afdb6377ac434c1c293ccb04",
                Vec::new(),
                "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d",
            ),
        ];
        for (prk, info, okm) in cases {
            let prk = Secret::from_slice(&HEXLOWER.decode(prk.as_bytes()).expect("hex"))
                .expect("32 bytes");
            assert_eq!(HEXLOWER.encode(kdf(&prk, &info).expose()), okm);
        }
    }
}
