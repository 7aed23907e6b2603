#[pyroxene::remote]
trait Bank {
    #[remote(attr)]
    fn owner(&self) -> String;
}

fn main() {}
