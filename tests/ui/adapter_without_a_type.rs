#[pyroxene::remote(adapter)]
trait Thermometer {
    fn celsius(&self) -> f64;
}

fn main() {}
