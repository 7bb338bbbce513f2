//! Lines of figures, and the peak of this process's memory.
use std::time::Duration;

/// Forgets the peak so far (`VmHWM`); where the kernel doesn't let us, the peak is that of the whole process.
pub fn forget_peak() {
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

/// The peak of resident memory since [`forget_peak`], and what is resident now, in MiB.
#[must_use]
pub fn memory_mib() -> (u64, u64) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kib = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|rest| rest.trim_start_matches(':').split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0)
    };
    (kib("VmHWM") / 1024, kib("VmRSS") / 1024)
}

/// One line: what, how long, and a remark.
pub fn line(what: &str, took: Duration, remark: &str) {
    println!("{what:<44} {:>12.1} ms  {remark}", took.as_secs_f64() * 1e3);
}

/// So many in so long, per second.
#[must_use]
pub fn per_second(count: u64, took: Duration) -> f64 {
    count as f64 / took.as_secs_f64().max(1e-9)
}

/// One time as a multiple of another.
#[must_use]
pub fn ratio(a: Duration, b: Duration) -> f64 {
    a.as_secs_f64() / b.as_secs_f64().max(1e-9)
}
