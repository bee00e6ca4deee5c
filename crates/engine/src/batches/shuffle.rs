//! Random order, so that a place says nothing.

use sluis_domain::Reason;

use crate::Refusal;

/// The numbers from 0 to `n` (exclusive; at most 2^20) in random order (Fisher, Yates).
pub(crate) fn random_order(n: usize) -> Result<Vec<usize>, Refusal> {
    let mut order: Vec<usize> = (0..n).collect();
    let mut random = vec![0u8; n * 8];
    getrandom::fill(&mut random).map_err(|_| Refusal::new(Reason::Internal, "no random bytes"))?;
    let (draws, _) = random.as_chunks::<8>();
    for (upper, draw) in (1..n).rev().zip(draws) {
        // 64 random bits modulo at most 2^20: the bias is below 2^-43.
        let pick = u64::from_be_bytes(*draw) % (upper as u64 + 1);
        order.swap(upper, pick as usize);
    }
    Ok(order)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_once_and_not_in_order() {
        let order = random_order(128).expect("random bytes");
        assert!(!order.is_sorted(), "one in 128! fails by chance");
        let mut sorted = order;
        sorted.sort_unstable();
        assert!(sorted.into_iter().eq(0..128));
        assert!(random_order(0).expect("random bytes").is_empty());
    }
}
