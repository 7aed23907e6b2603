struct Account {
    owner: String,
}

#[pyroxene::remote]
impl Account {
    #[remote(attr)]
    pub fn owner(&self) -> String {
        self.owner.clone()
    }
}

fn main() {}
