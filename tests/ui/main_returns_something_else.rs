#[pyroxene::main]
async fn main() -> Option<u64> {
    None
}
