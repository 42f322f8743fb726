//! Counters that only ever grow, made of counters that wrap and are reset.
//!
//! A 32-bit counter starts again at 4 GiB; NASes with Gigawords (RFC 2869 §5.1) say how often, others do not. Some start
//! again at zero in the middle of a session. What is told is the sum of all of it: what a packet says, and a base that takes in
//! what went before. Which of the two it was is told by the packets of the same direction: they go on through a wrap of the
//! octets, and begin again with a reset. The caller has left out packets that are merely late.

use crate::event::{Counters, Facts};

/// A 32-bit counter's size.
const WRAP: u64 = 1 << 32;

/// Where nothing else tells, a counter that has come this far has wrapped, and one that has not was reset.
const FAR: u64 = 1 << 31;

/// What stands beneath the counters of a session: added to what its packets say.
pub type Base = [u64; 4];

/// What was noticed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Noticed {
    /// An octet counter passed 4 GiB, and the NAS did not say so.
    pub wrapped: bool,
    /// A counter began again at zero.
    pub reset: bool,
}

/// Takes a packet's counters in: what they come to, and what stands beneath the next ones.
pub fn advance(before: Counters, base: Base, facts: &Facts<'_>) -> (Counters, Base, Noticed) {
    let now = facts.counters;
    let told = [before.input_octets, before.output_octets, before.input_packets, before.output_packets];
    let said = [now.input_octets, now.output_octets, now.input_packets, now.output_packets];
    let last = |at: usize| told[at].map(|told: u64| told.saturating_sub(base[at]));
    // Of an octet counter, whether the packets of its direction went on; `None` where they are not counted.
    let packets_went_on = |at: usize| Some(said[at + 2]? >= last(at + 2)? % WRAP);
    let (mut totals, mut bases, mut noticed) = (told, base, Noticed::default());
    for at in 0..4 {
        let Some(said) = said[at] else { continue };
        let Some(last) = last(at) else {
            totals[at] = Some(base[at].saturating_add(said));
            continue;
        };
        let went = match at {
            0 | 1 => octets(last, said, facts.counts_wraps[at], packets_went_on(at)),
            _ => low_half(last, said, (last % WRAP) < FAR),
        };
        match went {
            Went::To(reached) => {
                noticed.wrapped |= at < 2 && !facts.counts_wraps[at] && reached / WRAP > last / WRAP && said < WRAP;
                totals[at] = Some(base[at].saturating_add(reached));
            }
            Went::Reset => {
                noticed.reset = true;
                bases[at] = base[at].saturating_add(last);
                totals[at] = Some(bases[at].saturating_add(said));
            }
        }
    }
    let [input_octets, output_octets, input_packets, output_packets] = totals;
    (Counters { input_octets, output_octets, input_packets, output_packets }, bases, noticed)
}

/// What became of a counter.
enum Went {
    /// It stands here now.
    To(u64),
    /// It began again at zero.
    Reset,
}

/// An octet counter that said `last`, its wraps included.
fn octets(last: u64, said: u64, counts_wraps: bool, packets_went_on: Option<bool>) -> Went {
    match (counts_wraps || said >= WRAP, packets_went_on) {
        _ if said >= last => Went::To(said),
        // The upper half lags behind the lower one: the next packet will be right.
        (true, Some(true)) => Went::To(last),
        (true, _) | (false, Some(false)) => Went::Reset,
        (false, Some(true)) => low_half(last, said, false),
        (false, None) => low_half(last, said, (last % WRAP) < FAR),
    }
}

/// A counter of which only the lower half was said. Where that went back it has wrapped, or it was reset.
fn low_half(last: u64, said: u64, or_reset: bool) -> Went {
    let (upper, lower) = (last - last % WRAP, last % WRAP);
    match said >= lower {
        _ if said >= last => Went::To(said),
        true => Went::To(upper + said),
        false if or_reset => Went::Reset,
        false => Went::To(upper.saturating_add(WRAP).saturating_add(said)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn says(octets: u64, packets: Option<u64>, counts_wraps: bool) -> Facts<'static> {
        Facts {
            counters: Counters { input_octets: Some(octets), input_packets: packets, ..Counters::default() },
            counts_wraps: [counts_wraps; 2],
            ..Facts::default()
        }
    }

    /// The totals that a row of packets comes to, and what was noticed last.
    fn run(row: &[Facts<'_>]) -> (Vec<u64>, Noticed) {
        let (mut counters, mut base, mut noticed) = (Counters::default(), [0; 4], Noticed::default());
        let totals = row.iter().map(|facts| {
            (counters, base, noticed) = advance(counters, base, facts);
            counters.input_octets.unwrap()
        });
        (totals.collect(), noticed)
    }

    #[test]
    fn a_counter_that_wrapped_goes_on_where_its_packets_do() {
        let (totals, noticed) =
            run(&[says(100, Some(10), false), says(50, Some(20), false), says(70, Some(30), false)]);
        assert_eq!(totals, [100, WRAP + 50, WRAP + 70]);
        assert_eq!(noticed, Noticed::default(), "the last packet had nothing to notice");
        let (totals, noticed) = run(&[says(WRAP - 10, None, false), says(5, None, false)]);
        assert_eq!((totals, noticed.wrapped), (vec![WRAP - 10, WRAP + 5], true));
    }

    #[test]
    fn a_counter_that_was_reset_is_added_to_what_went_before() {
        let (totals, noticed) =
            run(&[says(3000, Some(30), false), says(100, Some(1), false), says(150, Some(2), false)]);
        assert_eq!(totals, [3000, 3100, 3150]);
        assert!(!noticed.reset);
        assert!(run(&[says(3000, Some(30), true), says(100, Some(1), true)]).1.reset);
        assert_eq!(run(&[says(3000, None, false), says(100, None, false)]).0, [3000, 3100]);
    }

    #[test]
    fn gigawords_that_lag_behind_the_octets_are_waited_for() {
        let (totals, noticed) =
            run(&[says(WRAP - 10, Some(5), true), says(90, Some(6), true), says(WRAP + 200, Some(7), true)]);
        assert_eq!(totals, [WRAP - 10, WRAP - 10, WRAP + 200]);
        assert_eq!(noticed, Noticed::default());
    }

    #[test]
    fn gigawords_that_are_left_out_for_once_do_not_take_the_counter_back() {
        let (totals, _) =
            run(&[says(WRAP + 500, Some(5), true), says(700, Some(6), false), says(WRAP + 900, Some(7), true)]);
        assert_eq!(totals, [WRAP + 500, WRAP + 700, WRAP + 900]);
    }
}
