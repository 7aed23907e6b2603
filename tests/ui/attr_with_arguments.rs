struct Account {
    owner: String,
}

#[pyroxene::remote]
impl Account {
    #[remote(attr)]
    pub fn owner(&self, polite: bool) -> &str {
        &self.owner
    }

    #[remote(attr)]
    pub async fn limit(&mut self) -> u64 {
        7
    }

    #[remote(nested)]
    pub fn address(&self) -> Address {
        Address
    }
}

fn main() {}
