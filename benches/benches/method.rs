//! The floor: what one value costs on one core before anything is stored or sent.
//!
//!     cargo bench --workspace --bench method

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use sluis_crypto::escrow::EscrowKeys;
use sluis_crypto::{LinkKey, PseudonymKey, Secret, token};
use sluis_domain::Kid;
use sluis_domain::WipedBuffer;
use sluis_domain::identifier::{Checksum, IdentifierKind, normalise};

const BSN: &[u8] = b"111222333";
/// Values in a batch.
const BATCH: u32 = 1024;

fn method(criterion: &mut Criterion) {
    let (root, escrow_root) = (Secret::random(), Secret::random());
    let kid = Kid::new(7).expect("not zero");
    let (link_key, pseudonym_key) = (LinkKey::linked(&root), PseudonymKey::new(&root));
    let escrow = EscrowKeys::new(&escrow_root, kid);
    let mut group = criterion.benchmark_group("value");
    group.throughput(Throughput::Elements(1));
    let mut buffer = WipedBuffer::with_capacity(256);
    group.bench_function("normalise", |bencher| {
        bencher.iter(|| {
            buffer.clear();
            normalise(IdentifierKind::NlBsn, Checksum::Strict, BSN, &mut buffer)
        });
    });
    let link = link_key.link_value(BSN);
    group.bench_function("link value", |bencher| {
        bencher.iter(|| link_key.link_value(BSN))
    });
    group.bench_function("pseudonym", |bencher| {
        bencher.iter(|| pseudonym_key.pseudonym(&link))
    });
    let pseudonym = pseudonym_key.pseudonym(&link);
    let mut text = Vec::with_capacity(64);
    group.bench_function("token text", |bencher| {
        bencher.iter(|| {
            text.clear();
            token::write_text(kid, &pseudonym, &mut text);
        });
    });
    let text = {
        let mut text = Vec::new();
        token::write_text(kid, &pseudonym, &mut text);
        text
    };
    group.bench_function("token parse", |bencher| {
        bencher.iter(|| token::parse_text(&text))
    });
    group.bench_function("link row", |bencher| {
        bencher.iter(|| {
            (
                escrow.row_key(&pseudonym),
                escrow.seal_link(&pseudonym, &link),
            )
        });
    });
    let row = escrow.seal_link(&pseudonym, &link);
    group.bench_function("link row, opened and checked", |bencher| {
        bencher.iter(|| escrow.open_link(&pseudonym_key, &pseudonym, &row));
    });
    group.finish();
}

/// What the engine does with a column. The times are of the whole batch.
fn batch(criterion: &mut Criterion) {
    let (root, escrow_root) = (Secret::random(), Secret::random());
    let kid = Kid::new(7).expect("not zero");
    let (link_key, pseudonym_key) = (LinkKey::linked(&root), PseudonymKey::new(&root));
    let escrow = EscrowKeys::new(&escrow_root, kid);
    let inputs: Vec<String> = (0..BATCH)
        .map(|n| format!("{:09}", 111_222_333 + n))
        .collect();
    let links = link_key.link_values(inputs.iter().map(|input| input.as_bytes()));
    let pseudonyms = pseudonym_key.pseudonyms(links.iter());
    let mut group = criterion.benchmark_group("batch of 1024");
    group.throughput(Throughput::Elements(u64::from(BATCH)));
    group.bench_function("link values", |bencher| {
        bencher.iter(|| link_key.link_values(inputs.iter().map(|input| input.as_bytes())));
    });
    group.bench_function("link values, one at a time", |bencher| {
        bencher.iter(|| -> Vec<_> {
            let inputs = inputs.iter();
            inputs
                .map(|input| link_key.link_value(input.as_bytes()))
                .collect()
        });
    });
    group.bench_function("pseudonyms", |bencher| {
        bencher.iter(|| pseudonym_key.pseudonyms(links.iter()));
    });
    group.bench_function("pseudonyms, one at a time", |bencher| {
        bencher.iter(|| -> Vec<_> {
            let links = links.iter();
            links.map(|link| pseudonym_key.pseudonym(link)).collect()
        });
    });
    let mut text = Vec::with_capacity(pseudonyms.len() * token::TEXT_LEN);
    group.bench_function("token texts", |bencher| {
        bencher.iter(|| {
            text.clear();
            for pseudonym in &pseudonyms {
                token::write_text(kid, pseudonym, &mut text);
            }
        });
    });
    let texts = text.as_chunks::<{ token::TEXT_LEN }>().0;
    group.bench_function("tokens parsed", |bencher| {
        bencher.iter(|| -> Vec<_> { texts.iter().map(|text| token::parse_text(text)).collect() });
    });
    let pairs = pseudonyms.iter().zip(&links);
    let rows: Vec<_> = pairs
        .map(|(pseudonym, link)| escrow.seal_link(pseudonym, link))
        .collect();
    let stored: Vec<_> = pseudonyms
        .iter()
        .zip(rows.iter().map(|row| &row[..]))
        .collect();
    group.bench_function("link rows", |bencher| {
        bencher.iter(|| -> Vec<_> {
            let pairs = pseudonyms.iter().zip(&links);
            pairs
                .map(|(pseudonym, link)| {
                    let key = escrow.row_key(pseudonym);
                    (key, escrow.seal_link(pseudonym, link))
                })
                .collect()
        });
    });
    group.bench_function("link rows, opened and checked", |bencher| {
        bencher.iter(|| escrow.open_links(&pseudonym_key, &stored));
    });
    group.bench_function("link rows, opened and checked one at a time", |bencher| {
        bencher.iter(|| -> Vec<_> {
            let stored = stored.iter();
            stored
                .map(|(pseudonym, row)| escrow.open_link(&pseudonym_key, pseudonym, row))
                .collect()
        });
    });
    group.finish();
}

criterion_group!(benches, method, batch);
criterion_main!(benches);
