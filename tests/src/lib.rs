//! End-to-end tests over real sockets and a real store; see `tests/`.
