//! Histories made by hand, for tests of checks and of the judge.
