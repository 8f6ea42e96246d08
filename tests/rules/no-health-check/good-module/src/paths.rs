pub trait Path {
    const PARTS: &'static [&'static str];

    fn path() -> &'static str {
        Self::PARTS[0]
    }
}

pub struct Health;

impl Path for Health {
    const PARTS: &'static [&'static str] = &["/state"];
}
