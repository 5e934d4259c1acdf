//! The processor time of processes.

use anyhow::{Context, Result};

/// Kernel ticks a second, fixed at 100 on every relevant Linux.
const TICKS: f64 = 100.0;

/// Seconds of processor time used by a process.
pub(crate) fn cpu_seconds(pid: u32) -> Result<f64> {
    let fields = fields(pid)?;
    Ok((ticks(&fields, 11)? + ticks(&fields, 12)?) / TICKS)
}

/// The same with all children, ended children included.
pub(crate) fn cpu_seconds_of_family(pid: u32) -> Result<f64> {
    let fields = fields(pid)?;
    let ended = (ticks(&fields, 13)? + ticks(&fields, 14)?) / TICKS;
    let mut sum = cpu_seconds(pid)? + ended;
    for entry in std::fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(child) = name.to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        // A child ended meanwhile counts with the parent the next time.
        let Ok(of_child) = self::fields(child) else { continue };
        if of_child.get(1) == Some(&pid.to_string()) {
            sum += cpu_seconds(child).unwrap_or_default();
        }
    }
    Ok(sum)
}

/// The fields of a process's state from the third on: the second is the name, with possible blanks.
fn fields(pid: u32) -> Result<Vec<String>> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let after_name = stat.rsplit_once(") ").context("no process name")?.1;
    Ok(after_name.split_whitespace().map(str::to_owned).collect())
}

fn ticks(fields: &[String], place: usize) -> Result<f64> {
    Ok(fields.get(place).context("a field is missing")?.parse()?)
}
