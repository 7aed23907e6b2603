#[pyroxene::remote]
pub trait Bank<T> {
    const LIMIT: u64;

    fn open() -> u64;

    fn merge(&mut self, other: Self);
}

fn main() {}
