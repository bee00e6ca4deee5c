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

criterion_group!(benches, method);
criterion_main!(benches);
