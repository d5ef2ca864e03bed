//! What every back-end must do: one suite, run over each of them.
