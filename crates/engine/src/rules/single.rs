use hookyard_ruler::{Machine, Rule, event};

/// One rule, compiled.
#[derive(Debug)]
pub(crate) struct Single {
    machine: Machine<()>,
}

impl Single {
    /// Compiles a rule; it fails only where a rule is larger than a machine, with words for it.
    pub(crate) fn new(rule: &Rule) -> Result<Self, String> {
        let mut machine = Machine::new();
        machine.add((), rule).map_err(|error| error.to_string())?;
        Ok(Self { machine })
    }

    /// Whether an object matches.
    pub(crate) fn matches(&self, object: &[u8]) -> Result<bool, event::Error> {
        let mut matched = false;
        super::run(&self.machine, object, |()| matched = true)?;
        Ok(matched)
    }
}
