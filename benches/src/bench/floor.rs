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
/// Different values that are worked on in turn, and calls between two looks at the clock.
const VALUES: usize = 1_024;

/// The work of one value.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Floor {
    /// Link value, pseudonym, token.
    Pseudonym,
    /// Link value, pseudonym, token, link row.
    Escrow,
    /// Token read, key of its row, row opened and checked, pseudonym, token.
    ConvertInbound,
    /// The same, and a link row.
    ConvertEscrow,
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
    second: EscrowKeys,
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
            second: EscrowKeys::new(&Secret::random(), kid),
            namespace: "nl.bsn".parse().expect("an id"),
            element_key: element_key(&root, kid),
            identifiers: (0..VALUES as u64).map(subjects::bsn).collect(),
            out: Vec::with_capacity(VALUES * 128),
        }
    }

    fn per_second(&mut self, floor: Floor) -> f64 {
        match floor {
            Floor::Pseudonym => self.repeat(|bench, at| {
                bench.pseudonym(at);
            }),
            Floor::Escrow => self.repeat(|bench, at| {
                let (link, pseudonym) = bench.pseudonym(at);
                link_row(&bench.escrow, &link, &pseudonym, &mut bench.out);
            }),
            Floor::ConvertInbound | Floor::ConvertEscrow => {
                self.convert(matches!(floor, Floor::ConvertEscrow))
            }
            Floor::Encrypt => {
                let mut sealer = self.element_key.sealer();
                self.repeat(|bench, at| {
                    let sealed = sealer.write_text(&bench.identifiers[at], &mut bench.out);
                    sealed.expect("a short value");
                })
            }
            Floor::ReidentifyElement => self.reidentify_element(),
            Floor::ReidentifyIdentity => self.reidentify_identity(),
        }
    }

    /// Calls `work` with the number of a value, again and again; calls per second.
    fn repeat(&mut self, mut work: impl FnMut(&mut Self, usize)) -> f64 {
        let started = Instant::now();
        let mut done = 0;
        while started.elapsed() < TIME {
            self.out.clear();
            for at in 0..VALUES {
                work(self, at);
            }
            black_box(&self.out);
            done += VALUES;
        }
        done as f64 / started.elapsed().as_secs_f64()
    }

    fn pseudonym(&mut self, at: usize) -> (LinkValue, Pseudonym) {
        let link = self.link_key.link_value(&self.identifiers[at]);
        let pseudonym = self.from.pseudonym(&link);
        token::write_text(self.kid, &pseudonym, &mut self.out);
        (link, pseudonym)
    }

    /// For each value its token, and what `row` makes of it.
    fn prepared<T>(
        &self,
        row: impl Fn(&Self, usize, &LinkValue, &Pseudonym) -> T,
    ) -> Vec<(Vec<u8>, T)> {
        let prepare = |at: usize| {
            let link = self.link_key.link_value(&self.identifiers[at]);
            let pseudonym = self.from.pseudonym(&link);
            let mut text = Vec::new();
            token::write_text(self.kid, &pseudonym, &mut text);
            (text, row(self, at, &link, &pseudonym))
        };
        (0..VALUES).map(prepare).collect()
    }

    fn convert(&mut self, escrows: bool) -> f64 {
        let rows =
            self.prepared(|bench, _, link, pseudonym| bench.escrow.seal_link(pseudonym, link));
        self.repeat(|bench, at| {
            let (text, row) = &rows[at];
            let (_, pseudonym) = token::parse_text(text).expect("made here");
            black_box(bench.escrow.row_key(&pseudonym));
            let link = bench.escrow.open_link(&bench.from, &pseudonym, row);
            let link = link.expect("made here");
            let converted = bench.to.pseudonym(&link);
            token::write_text(bench.kid, &converted, &mut bench.out);
            if escrows {
                link_row(&bench.second, &link, &converted, &mut bench.out);
            }
        })
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
        self.repeat(|bench, at| {
            let ciphertext = element::parse_text(&texts[at]).expect("made here");
            let opened = opener.open(&ciphertext, &mut bench.out);
            opened.expect("made here");
        })
    }

    fn reidentify_identity(&mut self) -> f64 {
        let mut sealer = self.escrow.identity_sealer();
        let mut rows = self.prepared(|_, _, _, _| Vec::new());
        for (at, (text, row)) in rows.iter_mut().enumerate() {
            let (_, pseudonym) = token::parse_text(text).expect("made here");
            let key = self.escrow.row_key(&pseudonym);
            let sealed = sealer.seal(&self.namespace, &key, &self.identifiers[at], row);
            sealed.expect("a short value");
        }
        let mut opener = self.escrow.identity_opener();
        self.repeat(|bench, at| {
            let (text, row) = &rows[at];
            let (_, pseudonym) = token::parse_text(text).expect("made here");
            let key = bench.escrow.row_key(&pseudonym);
            let start = bench.out.len();
            let opened = opener.open(&bench.namespace, &key, row, &mut bench.out);
            opened.expect("made here");
            let link = bench.link_key.link_value(&bench.out[start..]);
            assert!(bench.from.pseudonym(&link) == pseudonym, "the same subject");
        })
    }
}

fn element_key(root: &Secret, kid: Kid) -> ElementKey {
    let chain = "bench-none".parse().expect("an id");
    let name = "value".parse().expect("an id");
    ElementKey::new(root, &chain, &name, kid)
}

fn link_row(escrow: &EscrowKeys, link: &LinkValue, pseudonym: &Pseudonym, out: &mut Vec<u8>) {
    out.extend_from_slice(&escrow.row_key(pseudonym));
    out.extend_from_slice(&escrow.seal_link(pseudonym, link));
}
