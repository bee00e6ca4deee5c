//! sluisd, the custodian's daemon.
