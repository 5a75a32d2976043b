//! One set of features for the dependencies that several rooms share. See `Cargo.toml`.
