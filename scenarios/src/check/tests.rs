//! Every check: a good history on which it is quiet, and a bad one on which it is not.
