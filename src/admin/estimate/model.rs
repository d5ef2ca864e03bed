//! The cost model: from a plan to files, storage calls, bytes, workers and money. Pure.

use std::collections::BTreeMap;

use landfall_lake::PUBLISHED;
use landfall_lake::commit::tracker::MOST_SPAN;
use landfall_lake::encode::BLOCK;
use serde::Serialize;

use super::Format;
use super::measured::{Cost, MEASURED};

/// The part of a worker's memory that is for open files: half of the limit is the budget, of which fetch queues may have a quarter.
const FOR_FILES: f64 = 0.5 * 0.75;
/// Files that are smaller are poor ones for readers.
const SMALL: f64 = (16 << 20) as f64;
/// Hours of a month, as Azure's price pages have it.
const HOURS: f64 = 730.0;
const MONTH: f64 = HOURS * 3600.0;
const TB: f64 = 1e12;
const MIB: f64 = (1 << 20) as f64;

/// What is to be estimated.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Plan {
    pub(super) format: Format,
    /// Records a second, of all partitions.
    pub(super) rate: f64,
    /// Bytes of a record's value.
    pub(super) record_bytes: f64,
    pub(super) partitions: f64,
    /// Files that a partition has open at once.
    pub(super) folders: f64,
    /// Seconds after which a file ends.
    pub(super) rotate: f64,
    /// Rows after which a file ends.
    pub(super) flush_size: Option<f64>,
    /// Bytes after which a file ends.
    pub(super) size: f64,
    /// Bytes of a file for each byte of the values in it.
    pub(super) landed_ratio: f64,
    /// How many times the work there is to be room for.
    pub(super) headroom: f64,
    /// The most vCPUs of a pod.
    pub(super) most_vcpus: f64,
    /// The most GiB of a pod.
    pub(super) most_gib: f64,
    pub(super) pods: Option<f64>,
    pub(super) tasks: Option<f64>,
    /// The store's limits: requests a second, gigabits a second.
    pub(super) account_requests: f64,
    pub(super) account_gbps: f64,
    /// Seconds of a storage call, with its block.
    pub(super) call_seconds: f64,
    /// Days that files are kept.
    pub(super) retention_days: f64,
    pub(super) prices: Prices,
}

/// What things cost, in any currency. What has no price is not in the sums.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(super) struct Prices {
    /// Of 10,000 writing calls.
    pub(super) write: Option<f64>,
    /// Of 10,000 reading calls.
    pub(super) read: Option<f64>,
    /// Of a GB for a month.
    pub(super) gb_month: Option<f64>,
    /// Of a vCPU for an hour.
    pub(super) vcpu_hour: Option<f64>,
    /// Of a GiB of memory for an hour.
    pub(super) gib_hour: Option<f64>,
}

/// What follows from a plan.
#[derive(Debug, Serialize)]
pub(super) struct Estimate {
    pub(super) files: Files,
    /// While it runs, in the order in which a file goes through them.
    pub(super) calls: Vec<Calls>,
    /// Calls of all tasks together when partitions are opened for the first time, besides those of files.
    pub(super) first_start: BTreeMap<&'static str, f64>,
    /// The same when they are opened again: at each start and after each rebalance that moves all of them.
    pub(super) restart: BTreeMap<&'static str, f64>,
    pub(super) bytes: Bytes,
    pub(super) workers: Workers,
    pub(super) per_tb: PerTb,
    /// What has a price, by what it is for; None without prices.
    pub(super) cost: Option<Vec<Charge>>,
    pub(super) warnings: Vec<String>,
}

/// The files that land.
#[derive(Debug, Serialize)]
pub(super) struct Files {
    pub(super) per_second: f64,
    pub(super) per_day: f64,
    pub(super) bytes: f64,
    pub(super) rows: f64,
    /// Seconds from the first row of a file to that of the next in its place.
    pub(super) seconds: f64,
    /// What ends them, by the option or limit that does.
    pub(super) ended_by: &'static str,
    /// Those that are open at once, of all workers.
    pub(super) open: f64,
    /// Blocks of each.
    pub(super) blocks: f64,
}

/// Calls of one kind to the store.
#[derive(Debug, Serialize)]
pub(super) struct Calls {
    /// The service's name for it, as metrics and bills have it.
    pub(super) operation: &'static str,
    /// Whether it is priced as one that writes.
    pub(super) writes: bool,
    pub(super) per_second: f64,
    pub(super) per_tb: f64,
    #[serde(skip)]
    pub(super) why: &'static str,
}

/// Bytes on their way.
#[derive(Debug, Serialize)]
pub(super) struct Bytes {
    /// Values out of Kafka, uncompressed.
    pub(super) consumed_per_second: f64,
    /// Files into the store.
    pub(super) landed_per_second: f64,
    /// All that is sent to the store for a TB of files: they themselves and pointers.
    pub(super) staged_per_tb: f64,
}

/// What runs it.
#[derive(Debug, Serialize)]
pub(super) struct Workers {
    /// CPU seconds of work a second.
    pub(super) cores: f64,
    /// The same with headroom.
    pub(super) vcpus: f64,
    pub(super) pods: f64,
    pub(super) pod_vcpus: f64,
    pub(super) pod_gib: f64,
    /// `tasks.max`.
    pub(super) tasks: f64,
}

/// What a TB of files takes.
#[derive(Debug, Serialize)]
pub(super) struct PerTb {
    pub(super) records: f64,
    /// Bytes of values out of Kafka.
    pub(super) consumed: f64,
    pub(super) calls: f64,
    /// CPU seconds of work, without headroom.
    pub(super) cpu_seconds: f64,
    /// Hours of vCPUs and GiB of the pods, whether they work or not.
    pub(super) vcpu_hours: f64,
    pub(super) gib_hours: f64,
}

/// What something costs.
#[derive(Debug, Serialize)]
pub(super) struct Charge {
    pub(super) what: &'static str,
    pub(super) per_month: f64,
    pub(super) per_tb: f64,
}

/// What records of `format` cost.
pub(super) const fn cost(format: Format) -> Cost {
    match format {
        Format::Json => MEASURED.json,
        Format::Env => MEASURED.env,
        Format::Avro => MEASURED.avro,
        Format::Protobuf => MEASURED.protobuf,
    }
}

impl Plan {
    pub(super) fn estimate(&self) -> Estimate {
        let (files, workers) = (self.files(), self.workers());
        let bytes = rate_of_bytes(self, &files);
        let calls = self.calls(&files, bytes.landed_per_second);
        let per_tb = self.per_tb(&calls, &workers, bytes.landed_per_second);
        let cost = self.cost(&calls, &workers, bytes.landed_per_second);
        let warnings = self.warnings(&files, &calls, &workers, bytes.landed_per_second);
        let (first_start, restart) = self.openings(workers.tasks);
        Estimate { files, calls, first_start, restart, bytes, workers, per_tb, cost, warnings }
    }

    /// Rows a second of one open file.
    fn file_rate(&self) -> f64 {
        self.rate / (self.partitions * self.folders)
    }

    fn landed_record(&self) -> f64 {
        self.record_bytes * self.landed_ratio
    }

    fn files(&self) -> Files {
        let rate = self.file_rate();
        // A file that ends by its age has its first row, and those that come until then.
        let limits = [
            ("--rotate", rate * self.rotate + 1.0),
            ("--flush-size", self.flush_size.unwrap_or(f64::INFINITY)),
            ("--size", (self.size / self.landed_record()).max(1.0)),
            ("2,097,152 offsets", (MOST_SPAN as f64 / self.folders).max(1.0)),
        ];
        let (ended_by, rows) = limits.into_iter().fold(limits[0], |least, limit| if limit.1 < least.1 { limit } else { least });
        let (per_second, bytes) = (self.rate / rows, rows * self.landed_record());
        Files {
            per_second,
            per_day: per_second * 86_400.0,
            bytes,
            rows,
            seconds: rows / rate,
            ended_by,
            open: self.partitions * self.folders,
            blocks: (bytes / BLOCK as f64).ceil().max(1.0),
        }
    }

    /// Pointers that are written a second: one for each commit, of which each file has one of its own at most, and one more where
    /// nothing is committed for long.
    fn pointers(&self, files: &Files) -> f64 {
        let pauses = (files.seconds / PUBLISHED.as_secs_f64()).floor().min(self.folders);
        files.per_second + self.partitions * pauses / files.seconds
    }

    fn calls(&self, files: &Files, landed: f64) -> Vec<Calls> {
        [
            ("Get Blob Properties", false, files.per_second, "one a file: nobody has its name"),
            ("Put Block", true, files.per_second * files.blocks, "4 MiB each at most"),
            ("Put Blob", true, self.pointers(files), "pointers: one a commit, and one when no other follows for a minute"),
            ("Put Block List", true, files.per_second, "one a file: it is visible"),
        ]
        .map(|(operation, writes, per_second, why)| Calls {
            operation,
            writes,
            per_second,
            per_tb: per_second * TB / landed,
            why,
        })
        .into()
    }

    /// The calls of opening all partitions for the first time, and again.
    fn openings(&self, tasks: f64) -> (BTreeMap<&'static str, f64>, BTreeMap<&'static str, f64>) {
        let tasks = tasks.min(self.partitions);
        // Each task shows once that it may write.
        let checked = [("Put Block", tasks), ("Get Blob Properties", tasks)];
        // The pointer is asked for when the group knows no offset, read, and replaced by one of the new owner.
        let first = checked.into_iter().chain([("Get Blob", 2.0 * self.partitions), ("Put Blob", self.partitions)]);
        // Here the group knows one, and the schema of the last file is read from its footer.
        let again = [
            ("Put Block", tasks),
            ("Get Blob Properties", tasks + self.partitions),
            ("Get Blob", 2.0 * self.partitions),
            ("Put Blob", self.partitions),
        ];
        (first.collect(), again.into())
    }

    fn workers(&self) -> Workers {
        let Cost { record_bytes, cpu_seconds, .. } = cost(self.format);
        // Larger records cost in proportion to their bytes, smaller ones no less.
        let cores = self.rate * cpu_seconds / 1e6 * (self.record_bytes / record_bytes).max(1.0);
        let vcpus = cores * self.headroom;
        let for_files = self.files_memory() / (self.most_gib * 1024.0 - MEASURED.idle_memory).max(1.0);
        let pods = self.pods.unwrap_or_else(|| (vcpus / self.most_vcpus).max(for_files).ceil().max(2.0));
        let pod_vcpus = power_of_two(vcpus / pods, 0.25).min(self.most_vcpus);
        let pod_gib = power_of_two(self.memory(pods) / 1024.0, 0.5).min(self.most_gib);
        let tasks = self.tasks.unwrap_or_else(|| vcpus.ceil().max(pods));
        Workers { cores, vcpus, pods, pod_vcpus, pod_gib, tasks }
    }

    /// The MiB of all pods together whose budgets all files fit in, with headroom.
    fn files_memory(&self) -> f64 {
        self.partitions * self.folders * self.headroom * MEASURED.file_memory / FOR_FILES
    }

    /// The MiB that a pod needs: a busy worker's, or an idle one's and its files'.
    fn memory(&self, pods: f64) -> f64 {
        (MEASURED.idle_memory + self.files_memory() / pods).max(MEASURED.busy_memory)
    }

    fn per_tb(&self, calls: &[Calls], workers: &Workers, landed: f64) -> PerTb {
        let seconds = TB / landed;
        let hours = seconds / 3600.0 * workers.pods;
        PerTb {
            records: self.rate * seconds,
            consumed: self.rate * self.record_bytes * seconds,
            calls: calls.iter().map(|calls| calls.per_tb).sum(),
            cpu_seconds: workers.cores * seconds,
            vcpu_hours: workers.pod_vcpus * hours,
            gib_hours: workers.pod_gib * hours,
        }
    }

    fn cost(&self, calls: &[Calls], workers: &Workers, landed: f64) -> Option<Vec<Charge>> {
        let Prices { write, read, gb_month, vcpu_hour, gib_hour } = self.prices;
        let called = |writes: bool| {
            let per_second: f64 = calls.iter().filter(|calls| calls.writes == writes).map(|calls| calls.per_second).sum();
            per_second * MONTH / 10_000.0
        };
        let kept = landed * 86_400.0 * self.retention_days / 1e9;
        let charges = [
            ("writing calls", write, called(true)),
            ("reading calls", read, called(false)),
            ("files kept", gb_month, kept),
            ("vCPUs", vcpu_hour, workers.pods * workers.pod_vcpus * HOURS),
            ("memory", gib_hour, workers.pods * workers.pod_gib * HOURS),
        ];
        let tbs = landed * MONTH / TB;
        let charge = |(what, price, quantity): (_, Option<f64>, f64)| {
            let per_month = price? * quantity;
            Some(Charge { what, per_month, per_tb: per_month / tbs })
        };
        let mut charges: Vec<_> = charges.into_iter().filter_map(charge).collect();
        let sum = |of: fn(&Charge) -> f64| charges.iter().map(of).sum();
        let (per_month, per_tb) = (sum(|charge| charge.per_month), sum(|charge| charge.per_tb));
        (!charges.is_empty()).then(|| {
            charges.push(Charge { what: "all of it", per_month, per_tb });
            charges
        })
    }

    /// What is poor about the plan, and what would mend it.
    fn warnings(&self, files: &Files, calls: &[Calls], workers: &Workers, landed: f64) -> Vec<String> {
        let mut warnings = Vec::new();
        if files.bytes < SMALL {
            let seconds = (SMALL / self.landed_record() / self.file_rate()).ceil();
            let most = (MOST_SPAN as f64 / self.folders) * self.landed_record();
            let cure = if most < SMALL {
                "compact them in the lake: rows are so small that no file of one partition gets there".to_owned()
            } else {
                format!(
                    "files of {seconds:.0} seconds would get there, or fewer partitions or folders; or compact them in the lake"
                )
            };
            warnings.push(format!("files have {:.1} MiB, and readers want 16 MiB or more: {cure}", files.bytes / MIB));
        }
        let asked = calls.iter().map(|calls| calls.per_second).sum::<f64>() * self.headroom;
        if asked > self.account_requests {
            let accounts = (asked / self.account_requests).ceil();
            warnings.push(format!(
                "{asked:.0} storage calls a second with headroom are more than the {} that the account takes: longer files, or {accounts} \
                 accounts with a connector each",
                self.account_requests
            ));
        }
        let gbps = landed * 8.0 / 1e9 * self.headroom;
        if gbps > self.account_gbps {
            warnings.push(format!(
                "{gbps:.1} Gbit/s of files with headroom are more than the {} that the account takes in: {} accounts with a connector each",
                self.account_gbps,
                (gbps / self.account_gbps).ceil()
            ));
        }
        let (one, most) = (self.file_rate() * self.landed_record() * self.headroom, BLOCK as f64 / self.call_seconds);
        if one > most {
            warnings.push(format!(
                "a file gets {:.1} MiB a second with headroom, and takes {:.1}: its blocks of 4 MiB go one after the other, {:.0} ms each; \
                 more partitions help",
                one / MIB,
                most / MIB,
                self.call_seconds * 1000.0
            ));
        }
        if self.partitions < workers.tasks {
            warnings.push(format!(
                "{} tasks share {} partitions: {} have nothing to do, and the others too much if the load needs them; give the topics \
                 more partitions",
                workers.tasks,
                self.partitions,
                workers.tasks - self.partitions
            ));
        }
        let need = self.memory(workers.pods);
        if need > workers.pod_gib * 1024.0 {
            warnings.push(format!(
                "{:.0} files a pod with headroom need {need:.0} MiB, and a pod has {:.0}: their row groups get smaller and files end early; \
                 fewer folders, more memory or more pods",
                files.open / workers.pods * self.headroom,
                workers.pod_gib * 1024.0
            ));
        }
        if workers.pods * workers.pod_vcpus < workers.vcpus {
            warnings.push(format!(
                "{} pods have {} vCPUs, and the load asks for {:.1} with headroom: more pods or larger ones",
                workers.pods,
                workers.pods * workers.pod_vcpus,
                workers.vcpus
            ));
        }
        warnings
    }
}

fn rate_of_bytes(plan: &Plan, files: &Files) -> Bytes {
    let landed = plan.rate * plan.landed_record();
    let pointers = plan.pointers(files) * MEASURED.pointer_bytes;
    Bytes {
        consumed_per_second: plan.rate * plan.record_bytes,
        landed_per_second: landed,
        staged_per_tb: TB * (landed + pointers) / landed,
    }
}

/// The least of `step`, twice `step`, four times… that is not below `least`.
fn power_of_two(least: f64, step: f64) -> f64 {
    step * 2f64.powf((least / step).log2().ceil().max(0.0))
}
