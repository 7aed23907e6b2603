struct Thermometer;

#[pyroxene::remote(adapter = Thermometer)]
impl Thermometer {
    pub fn celsius(&self) -> f64 {
        0.0
    }
}

fn main() {}
