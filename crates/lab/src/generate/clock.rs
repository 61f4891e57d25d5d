//! Busy and quiet hours.

use tranche_model::time::Timestamp;

use super::fixed::FACTOR_ONE;

const HOUR_MS: i64 = 3_600_000;

/// Per cent of the usual volume in each UTC hour; the mean is 100. Our own drawing of what exchanges
/// show: quiet before Europe wakes, busiest when Europe and America are both at their desks.
const BUSY_PCT: [i64; 24] = [
    100, 90, 85, 80, 75, 70, 75, 85, 95, 100, 95, 95, 105, 130, 155, 160, 145, 125, 110, 100, 95,
    90, 75, 65,
];

/// The share of usual volume at a moment, gliding from hour to hour; 2^16 is the usual.
pub(super) fn shape(at: Timestamp) -> i64 {
    let hour = at.ms().div_euclid(HOUR_MS);
    let part = at.ms().rem_euclid(HOUR_MS);
    let (here, next) = (busy(hour), busy(hour + 1));
    (here * (HOUR_MS - part) + next * part) / HOUR_MS * FACTOR_ONE / 100
}

fn busy(hour: i64) -> i64 {
    let hour = usize::try_from(hour.rem_euclid(24)).unwrap_or(0);
    BUSY_PCT.get(hour).copied().unwrap_or(100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_has_the_usual_volume() {
        assert_eq!(BUSY_PCT.iter().sum::<i64>(), 2400);
        assert_eq!(shape(Timestamp::from_ms(0)), FACTOR_ONE);
    }
}
