//! Floors: the cipher work of one value in a bare loop, on all cores, without network, store or log.

use std::hint::black_box;
use std::time::{Duration, Instant};

use sluis_crypto::element::{self, ElementKey};
use sluis_crypto::escrow::EscrowKeys;
use sluis_crypto::{LinkKey, LinkValue, Pseudonym, PseudonymKey, Secret, token};
use sluis_domain::{Kid, NamespaceId};

use crate::subjects;

/// How long a floor is measured.
const TIME: Duration = Duration::from_millis(1_500);
/// Values that are worked on at once, as in a batch.
const VALUES: usize = 1_024;

/// The work of one value.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Floor {
    /// Link value, pseudonym, token.
    Pseudonym,
    /// Link value, pseudonym, token, link row.
    Escrow,
    /// Link value, pseudonym, sealed link, token with it.
    Carried,
    /// Token read, key of its row, row opened and checked, pseudonym, token.
    ConvertInbound,
    /// The same, and a link row.
    ConvertEscrow,
    /// Token with its link read, link opened and checked, pseudonym, token.
    ConvertCarried,
    /// XAES-256-GCM and base64.
    Encrypt,
    /// The way back.
    ReidentifyElement,
    /// Token read, key of its row, identity row opened, link value and pseudonym to check it.
    ReidentifyIdentity,
}

/// Keys and values of one thread.
struct Bench {
    kid: Kid,
    link_key: LinkKey,
    from: PseudonymKey,
    to: PseudonymKey,
    escrow: EscrowKeys,
    namespace: NamespaceId,
    element_key: ElementKey,
    identifiers: Vec<[u8; 9]>,
    /// Answers, cleared before they fill more than one batch.
    out: Vec<u8>,
}

impl Floor {
    /// Values per second of all cores together.
    pub(crate) fn per_second(self) -> f64 {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        std::thread::scope(|scope| {
            let each: Vec<_> = (0..threads)
                .map(|_| scope.spawn(move || Bench::new().per_second(self)))
                .collect();
            let rates = each.into_iter().map(|it| it.join().expect("it ends"));
            rates.sum()
        })
    }
}

impl Bench {
    fn new() -> Self {
        let kid = Kid::new(7).expect("not zero");
        let root = Secret::random();
        Self {
            kid,
            link_key: LinkKey::linked(&root),
            from: PseudonymKey::new(&root),
            to: PseudonymKey::new(&Secret::random()),
            escrow: EscrowKeys::new(&Secret::random(), kid),
            namespace: "nl.bsn".parse().expect("an id"),
            element_key: element_key(&root, kid),
            identifiers: (0..VALUES as u64).map(subjects::bsn).collect(),
            out: Vec::with_capacity(VALUES * 128),
        }
    }

    fn per_second(&mut self, floor: Floor) -> f64 {
        match floor {
            Floor::Pseudonym => self.repeat(|bench| {
                let (_, pseudonyms) = bench.subjects();
                bench.tokens(&pseudonyms);
            }),
            Floor::Escrow => self.repeat(|bench| {
                let (links, pseudonyms) = bench.subjects();
                bench.tokens(&pseudonyms);
                bench.link_rows(&pseudonyms, &links);
            }),
            Floor::Carried => self.repeat(|bench| {
                let (links, pseudonyms) = bench.subjects();
                bench.carried_tokens(&pseudonyms, &links);
            }),
            Floor::ConvertInbound | Floor::ConvertEscrow => {
                self.convert(matches!(floor, Floor::ConvertEscrow))
            }
            Floor::ConvertCarried => self.convert_carried(),
            Floor::Encrypt => {
                let mut sealer = self.element_key.sealer();
                self.repeat(|bench| {
                    for identifier in &bench.identifiers {
                        let sealed = sealer.write_text(identifier, &mut bench.out);
                        sealed.expect("a short value");
                    }
                })
            }
            Floor::ReidentifyElement => self.reidentify_element(),
            Floor::ReidentifyIdentity => self.reidentify_identity(),
        }
    }

    /// Calls `work`, which works on all values, again and again; values per second.
    fn repeat(&mut self, mut work: impl FnMut(&mut Self)) -> f64 {
        let started = Instant::now();
        let mut done = 0;
        while started.elapsed() < TIME {
            self.out.clear();
            work(self);
            black_box(&self.out);
            done += VALUES;
        }
        done as f64 / started.elapsed().as_secs_f64()
    }

    fn subjects(&self) -> (Vec<LinkValue>, Vec<Pseudonym>) {
        let inputs = self.identifiers.iter().map(<[u8; 9]>::as_slice);
        let links = self.link_key.link_values(inputs);
        let pseudonyms = self.from.pseudonyms(links.iter());
        (links, pseudonyms)
    }

    fn tokens(&mut self, pseudonyms: &[Pseudonym]) {
        for pseudonym in pseudonyms {
            token::write_text(self.kid, pseudonym, &mut self.out);
        }
    }

    fn carried_tokens(&mut self, pseudonyms: &[Pseudonym], links: &[LinkValue]) {
        for (pseudonym, link) in pseudonyms.iter().zip(links) {
            let link = self.escrow.seal_carried(pseudonym, link);
            token::write_carried_text(self.kid, pseudonym, &link, &mut self.out);
        }
    }

    fn link_rows(&mut self, pseudonyms: &[Pseudonym], links: &[LinkValue]) {
        for (pseudonym, link) in pseudonyms.iter().zip(links) {
            self.out.extend_from_slice(&self.escrow.row_key(pseudonym));
            self.out
                .extend_from_slice(&self.escrow.seal_link(pseudonym, link));
        }
    }

    /// What was written last, one text of `width` bytes per value.
    fn written(&mut self, width: usize) -> Vec<Vec<u8>> {
        let texts = self.out.chunks(width).map(<[u8]>::to_vec).collect();
        self.out.clear();
        texts
    }

    fn convert(&mut self, escrows: bool) -> f64 {
        let (links, pseudonyms) = self.subjects();
        let pairs = pseudonyms.iter().zip(&links);
        let rows: Vec<_> = pairs
            .map(|(p, link)| self.escrow.seal_link(p, link))
            .collect();
        self.tokens(&pseudonyms);
        let texts = self.written(token::TEXT_LEN);
        self.repeat(|bench| {
            let mut read = Vec::with_capacity(VALUES);
            for text in &texts {
                let (_, pseudonym) = token::parse_text(text).expect("made here");
                black_box(bench.escrow.row_key(&pseudonym));
                read.push(pseudonym);
            }
            let values = rows.iter().map(|row| row.as_slice());
            let pairs: Vec<_> = read.iter().zip(values).collect();
            let (links, converted) = bench.rekey(&pairs);
            if escrows {
                bench.link_rows(&converted, &links);
            }
        })
    }

    fn convert_carried(&mut self) -> f64 {
        let (links, pseudonyms) = self.subjects();
        self.carried_tokens(&pseudonyms, &links);
        let texts = self.written(token::CARRIED_TEXT_LEN);
        self.repeat(|bench| {
            let mut read = Vec::with_capacity(VALUES);
            for text in &texts {
                let token = token::parse_carried_text(text).expect("made here");
                let link = token.link.expect("it carries one");
                read.push((token.pseudonym, link.as_row_value()));
            }
            let pairs = read.iter().map(|(pseudonym, link)| (pseudonym, &link[..]));
            let pairs: Vec<_> = pairs.collect();
            bench.rekey(&pairs);
        })
    }

    /// Opens links, and writes the tokens of the other chain.
    fn rekey(&mut self, sealed: &[(&Pseudonym, &[u8])]) -> (Vec<LinkValue>, Vec<Pseudonym>) {
        let opened = self.escrow.open_links(&self.from, sealed).into_iter();
        let links: Vec<_> = opened.map(|link| link.expect("made here")).collect();
        let converted = self.to.pseudonyms(links.iter());
        self.tokens(&converted);
        (links, converted)
    }

    fn reidentify_element(&mut self) -> f64 {
        let mut sealer = self.element_key.sealer();
        let mut texts = Vec::with_capacity(VALUES);
        for value in &self.identifiers {
            let mut text = Vec::new();
            let sealed = sealer.write_text(value, &mut text);
            sealed.expect("a short value");
            texts.push(text);
        }
        let mut opener = self.element_key.opener();
        self.repeat(|bench| {
            for text in &texts {
                let ciphertext = element::parse_text(text).expect("made here");
                let opened = opener.open(&ciphertext, &mut bench.out);
                opened.expect("made here");
            }
        })
    }

    fn reidentify_identity(&mut self) -> f64 {
        let mut sealer = self.escrow.identity_sealer();
        let (_, pseudonyms) = self.subjects();
        self.tokens(&pseudonyms);
        let texts = self.written(token::TEXT_LEN);
        let mut rows = Vec::with_capacity(VALUES);
        for (pseudonym, identifier) in pseudonyms.iter().zip(&self.identifiers) {
            let key = self.escrow.row_key(pseudonym);
            let mut row = Vec::new();
            let sealed = sealer.seal(&self.namespace, &key, identifier, &mut row);
            sealed.expect("a short value");
            rows.push(row);
        }
        let mut opener = self.escrow.identity_opener();
        self.repeat(|bench| {
            for (text, row) in texts.iter().zip(&rows) {
                let (_, pseudonym) = token::parse_text(text).expect("made here");
                let key = bench.escrow.row_key(&pseudonym);
                let start = bench.out.len();
                let opened = opener.open(&bench.namespace, &key, row, &mut bench.out);
                opened.expect("made here");
                let link = bench.link_key.link_value(&bench.out[start..]);
                assert!(bench.from.pseudonym(&link) == pseudonym, "the same subject");
            }
        })
    }
}

fn element_key(root: &Secret, kid: Kid) -> ElementKey {
    let chain = "bench-none".parse().expect("an id");
    let name = "value".parse().expect("an id");
    ElementKey::new(root, &chain, &name, kid)
}
