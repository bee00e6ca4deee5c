//! sluis, the command line.
