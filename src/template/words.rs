//! Filters and tests that a template uses and nobody knows: minijinja would say so only for the first event.

use minijinja::machinery::{Instruction, get_compiled_template};
use minijinja::{Environment, ErrorKind};

use super::Mistake;

/// Refuses the first of them. `ahead` bytes stand before the operator's own text in what was compiled.
pub(super) fn refuse_unknown(language: &Environment<'_>, source: &str, ahead: usize) -> Result<(), Mistake> {
    let template = language.template_from_str(source).map_err(|error| Mistake::of(&error))?;
    let instructions = &get_compiled_template(&template).instructions;
    let mut state = language.empty_state();
    for (at, instruction) in (0..).map_while(|at| Some((at, instructions.get(at)?))) {
        // Whether there is one is all that is asked: called without a value, each has something to say.
        let (kind, name) = match instruction {
            Instruction::ApplyFilter(name, ..) => match state.apply_filter(name, &[]) {
                Err(error) if error.kind() == ErrorKind::UnknownFilter => ("filter", name),
                _ => continue,
            },
            Instruction::PerformTest(name, ..) => match state.perform_test(name, &[]) {
                Err(error) if error.kind() == ErrorKind::UnknownTest => ("test", name),
                _ => continue,
            },
            _ => continue,
        };
        let place = instructions.get_span(at).map(|span| (span.start_offset as usize).saturating_sub(ahead));
        return Err(Mistake::new(format!("there is no {kind} {name}: docs/mapping.md lists them"), place));
    }
    Ok(())
}
