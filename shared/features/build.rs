//! Build dependencies are only built where there is a build script.
fn main() {}
