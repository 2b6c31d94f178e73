//! Every row of the permission table: what it permits, and a rule bug that it does not.
