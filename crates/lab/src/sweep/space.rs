//! What is tried: named settings of the bot file, each with a list of exact values.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// More cannot be tried in a life.
const SIZE_MAX: u64 = 1 << 40;
const VALUES_MAX: usize = 10_000;

/// A setting with its values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parameter {
    pub name: String,
    /// As the bot file would have them: decimals are text.
    pub values: Vec<Value>,
}

/// All combinations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Space(Vec<Parameter>);

/// One combination: for each parameter the place of its value.
pub type Point = Vec<u32>;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpaceError {
    #[error("no parameter is named: there is nothing to try")]
    Empty,
    #[error(
        "parameters.{name}: there must be 1 to {VALUES_MAX} values, from at most to, and a step above 0"
    )]
    Values { name: String },
    #[error("parameters.{name}: a value is there twice")]
    Repeated { name: String },
    #[error("there are more than {SIZE_MAX} combinations: name fewer values")]
    TooLarge,
}

impl Parameter {
    /// Values from `from` to `to`, both included when steps lead there. Whole settings take whole
    /// numbers, all others text.
    pub fn steps(
        name: &str,
        (from, to, step): (Decimal, Decimal, Decimal),
        is_whole: bool,
    ) -> Result<Self, SpaceError> {
        let wrong = || SpaceError::Values { name: name.to_owned() };
        if step <= Decimal::ZERO || to < from {
            return Err(wrong());
        }
        let mut values = Vec::new();
        let mut value = from;
        while value <= to {
            if VALUES_MAX <= values.len() {
                return Err(wrong());
            }
            let number = value.normalize();
            values.push(if is_whole {
                Value::from(i64::try_from(number).map_err(|_| wrong())?)
            } else {
                Value::from(number.to_string())
            });
            value = value.checked_add(step).ok_or_else(wrong)?;
        }
        Ok(Self { name: name.to_owned(), values })
    }

    fn check(&self) -> Result<(), SpaceError> {
        let name = || self.name.clone();
        if !(1..=VALUES_MAX).contains(&self.values.len()) {
            return Err(SpaceError::Values { name: name() });
        }
        for (place, value) in self.values.iter().enumerate() {
            if self.values.iter().skip(place.saturating_add(1)).any(|other| other == value) {
                return Err(SpaceError::Repeated { name: name() });
            }
        }
        Ok(())
    }

    fn count(&self) -> u32 {
        u32::try_from(self.values.len()).unwrap_or(u32::MAX)
    }
}

impl Space {
    pub fn new(parameters: Vec<Parameter>) -> Result<Self, SpaceError> {
        if parameters.is_empty() {
            return Err(SpaceError::Empty);
        }
        parameters.iter().try_for_each(Parameter::check)?;
        let space = Self(parameters);
        let size = space.0.iter().try_fold(1_u64, |size, parameter| {
            size.checked_mul(u64::from(parameter.count())).filter(|size| *size <= SIZE_MAX)
        });
        size.map(|_| space).ok_or(SpaceError::TooLarge)
    }

    pub fn parameters(&self) -> &[Parameter] {
        &self.0
    }

    /// How many combinations there are.
    pub fn size(&self) -> u64 {
        self.0.iter().fold(1, |size, parameter| size.saturating_mul(u64::from(parameter.count())))
    }

    /// The combination with a number below [`Self::size`]; the last parameter changes first.
    pub fn point(&self, number: u64) -> Point {
        let mut rest = number;
        let mut point: Point = Vec::with_capacity(self.0.len());
        for parameter in self.0.iter().rev() {
            let count = u64::from(parameter.count().max(1));
            point.push(u32::try_from(rest % count).unwrap_or(0));
            rest /= count;
        }
        point.reverse();
        point
    }

    /// The settings of a point, with their names. `None` if it is not of this space.
    pub fn settings<'a>(&'a self, point: &[u32]) -> Option<Vec<(&'a str, &'a Value)>> {
        if point.len() != self.0.len() {
            return None;
        }
        let pairs = self.0.iter().zip(point).map(|(parameter, place)| {
            let value = parameter.values.get(tranche_model::cast::index(*place))?;
            Some((parameter.name.as_str(), value))
        });
        pairs.collect()
    }

    /// The points that differ by one step in one parameter.
    pub fn neighbours(&self, point: &[u32]) -> Vec<Point> {
        let mut points = Vec::new();
        for (place, parameter) in self.0.iter().enumerate() {
            let Some(at) = point.get(place) else { continue };
            let beside =
                [at.checked_sub(1), at.checked_add(1).filter(|it| *it < parameter.count())];
            for value in beside.into_iter().flatten() {
                let mut other = point.to_vec();
                if let Some(slot) = other.get_mut(place) {
                    *slot = value;
                }
                points.push(other);
            }
        }
        points
    }
}
