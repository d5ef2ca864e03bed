//! Typed columns from bytes: one file a converter, one line in the table here.
