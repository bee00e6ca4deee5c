//! The method sluis/1: derive, pseudonyms, tokens, seals, XAES-256-GCM.
