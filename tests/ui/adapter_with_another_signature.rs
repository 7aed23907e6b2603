mod thermometers {
    pub struct Thermometer;

    impl Thermometer {
        pub fn celsius(&self) -> f32 {
            0.0
        }

        pub fn calibrate(&mut self, _by: f64) {}

        pub fn label(&self, of: &str) -> String {
            of.to_owned()
        }
    }
}

#[pyroxene::remote(adapter = thermometers::Thermometer)]
trait Thermometer {
    fn celsius(&self) -> f64;
    fn calibrate(&self, by: f64);
    fn label(&self, of: String) -> String;
    fn unheard_of(&mut self);
}

fn main() {}
