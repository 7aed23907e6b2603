#[pyroxene::main]
fn main() {}
