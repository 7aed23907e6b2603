struct Cache<T>(T);

#[pyroxene::remote]
impl<T> Cache<T> {
    pub fn len(&self) -> usize {
        0
    }
}

fn main() {}
