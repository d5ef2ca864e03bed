//! A small bank: its rows, and the changes of them that its business makes, the same for the same seed.
//!
//! What holds after every change that was given out: an account belongs to a customer, a transaction to an account, and an account's
//! balance is the sum of its booked transactions and never below zero. Of what left the bank, accounts and customers are deleted;
//! transactions stay, but for those that were cancelled before they were booked.

use std::collections::{HashMap, VecDeque};

/// Customers that the bank begins with before other business.
const FIRST_CUSTOMERS: usize = 40;
/// Customers that it has at most, so that its memory has a bound.
const MOST_CUSTOMERS: usize = 5_000;
/// Card payments that wait to be booked, at most.
const MOST_PENDING: usize = 500;
/// Seconds of a day.
const DAY: i64 = 86_400;

/// A customer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Customer {
    pub(super) id: i64,
    pub(super) name: String,
    pub(super) email: String,
    pub(super) city: &'static str,
    pub(super) segment: &'static str,
    /// In cents.
    pub(super) credit_limit: i64,
    /// Days since 1970.
    pub(super) since: i32,
}

/// An account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) id: i64,
    pub(super) customer: i64,
    pub(super) iban: String,
    pub(super) kind: &'static str,
    /// In cents.
    pub(super) balance: i64,
}

/// What moves a balance once it is booked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Transaction {
    pub(super) id: i64,
    pub(super) account: i64,
    pub(super) kind: &'static str,
    pub(super) counterparty: &'static str,
    /// In cents; negative for what leaves the account.
    pub(super) amount: i64,
    pub(super) booked: bool,
    /// Milliseconds since 1970 at which it was made.
    pub(super) made: i64,
}

/// A row before and after a change: none before it was inserted, none after it was deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Images<T> {
    pub(super) before: Option<T>,
    pub(super) after: Option<T>,
}

impl<T> Images<T> {
    fn insert(after: T) -> Self {
        Self { before: None, after: Some(after) }
    }

    fn update(before: T, after: T) -> Self {
        Self { before: Some(before), after: Some(after) }
    }

    fn delete(before: T) -> Self {
        Self { before: Some(before), after: None }
    }

    /// Debezium's letter.
    pub(super) fn op(&self) -> &'static str {
        match (&self.before, &self.after) {
            (None, _) => "c",
            (_, None) => "d",
            _ => "u",
        }
    }
}

/// A change of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Customer(Images<Customer>),
    Account(Images<Account>),
    Transaction(Images<Transaction>),
}

/// A customer with what belongs to them.
#[derive(Debug)]
struct Client {
    customer: Customer,
    accounts: Vec<Holding>,
}

/// An account with what its pending payments will take from it, in cents.
#[derive(Debug)]
struct Holding {
    account: Account,
    held: i64,
}

/// The bank.
#[derive(Debug)]
pub(super) struct Bank {
    random: Random,
    clients: Vec<Client>,
    /// Where in `clients` a customer is.
    places: HashMap<i64, usize>,
    /// Card payments that are not booked yet, oldest first, each with the customer who made it.
    pending: VecDeque<(i64, Transaction)>,
    /// What happened and was not given out yet.
    changes: VecDeque<Change>,
    last_customer: i64,
    last_account: i64,
    last_transaction: i64,
}

impl Bank {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            random: Random(seed),
            clients: Vec::new(),
            places: HashMap::new(),
            pending: VecDeque::new(),
            changes: VecDeque::new(),
            last_customer: 0,
            last_account: 0,
            last_transaction: 0,
        }
    }

    /// The next change; `now` is the time of what is done only now, in milliseconds since 1970.
    pub(super) fn next(&mut self, now: i64) -> Change {
        loop {
            if let Some(change) = self.changes.pop_front() {
                return change;
            }
            self.do_business(now);
        }
    }

    fn do_business(&mut self, now: i64) {
        if self.clients.len() < FIRST_CUSTOMERS {
            return self.welcome(now);
        }
        match self.random.below(1_000) {
            0..12 if self.clients.len() < MOST_CUSTOMERS => self.welcome(now),
            12..20 => self.open_account(now),
            20..30 => self.change_customer(),
            30..34 => self.say_goodbye(now),
            34..300 => self.transfer(now),
            300..620 if self.pending.len() < MOST_PENDING => self.pay_by_card(now),
            620..660 => self.cancel(),
            660..930 => self.book(),
            _ => self.receive(now),
        }
    }

    fn welcome(&mut self, now: i64) {
        self.last_customer += 1;
        let (first, last) = (self.random.of(FIRST_NAMES), self.random.of(LAST_NAMES));
        let customer = Customer {
            id: self.last_customer,
            name: format!("{first} {last}"),
            email: format!("{}.{}{}@example.com", first.to_lowercase(), last.to_lowercase(), self.last_customer),
            city: self.random.of(CITIES),
            segment: self.random.of(&["private", "private", "private", "business"]),
            credit_limit: self.random.between(5, 100) * 10_000,
            since: (now / 1000 / DAY) as i32,
        };
        self.changes.push_back(Change::Customer(Images::insert(customer.clone())));
        self.places.insert(customer.id, self.clients.len());
        self.clients.push(Client { customer, accounts: Vec::new() });
        self.open_account_of(self.clients.len() - 1, "checking", now);
    }

    fn open_account(&mut self, now: i64) {
        let client = self.any_client();
        if self.clients[client].accounts.len() < 4 {
            self.open_account_of(client, "savings", now);
        }
    }

    /// Opens an account with a first deposit.
    fn open_account_of(&mut self, client: usize, kind: &'static str, now: i64) {
        self.last_account += 1;
        let (id, customer) = (self.last_account, self.clients[client].customer.id);
        let iban = format!("DE{:02}50010517{id:010}", 10 + id % 88);
        let account = Account { id, customer, iban, kind, balance: 0 };
        self.changes.push_back(Change::Account(Images::insert(account.clone())));
        self.clients[client].accounts.push(Holding { account, held: 0 });
        let amount = self.random.between(100, 900) * 1_000;
        self.settle((client, self.clients[client].accounts.len() - 1), "deposit", "opening deposit", amount, now);
    }

    fn change_customer(&mut self) {
        let (client, city, limit) = (self.any_client(), self.random.of(CITIES), self.random.between(5, 100) * 10_000);
        let moves = self.random.below(3) > 0;
        let customer = &mut self.clients[client].customer;
        let before = customer.clone();
        if moves {
            customer.city = city;
        } else {
            customer.credit_limit = limit;
        }
        if *customer != before {
            self.changes.push_back(Change::Customer(Images::update(before, customer.clone())));
        }
    }

    /// A customer takes all money and goes.
    fn say_goodbye(&mut self, now: i64) {
        if self.clients.len() <= FIRST_CUSTOMERS {
            return;
        }
        let client = self.any_client();
        let customer = self.clients[client].customer.id;
        let (cancelled, kept) = std::mem::take(&mut self.pending).into_iter().partition(|(of, _)| *of == customer);
        self.pending = kept;
        let cancelled: VecDeque<(i64, Transaction)> = cancelled;
        self.changes.extend(cancelled.into_iter().map(|(_, payment)| Change::Transaction(Images::delete(payment))));
        for account in 0..self.clients[client].accounts.len() {
            let balance = self.clients[client].accounts[account].account.balance;
            if balance > 0 {
                self.settle((client, account), "payout", "account closed", -balance, now);
            }
        }
        let Client { customer, accounts } = self.clients.swap_remove(client);
        self.places.remove(&customer.id);
        if let Some(moved) = self.clients.get(client) {
            self.places.insert(moved.customer.id, client);
        }
        self.changes.extend(accounts.into_iter().map(|holding| Change::Account(Images::delete(holding.account))));
        self.changes.push_back(Change::Customer(Images::delete(customer)));
    }

    fn transfer(&mut self, now: i64) {
        let (from, to) = (self.any_account(), self.any_account());
        let amount = self.random.between(500, 60_000);
        if from != to && self.available(from) >= amount {
            self.settle(from, "transfer", "transfer out", -amount, now);
            self.settle(to, "transfer", "transfer in", amount, now);
        }
    }

    fn receive(&mut self, now: i64) {
        let (to, from) = (self.any_account(), self.random.of(EMPLOYERS));
        let amount = self.random.between(80_000, 450_000);
        self.settle(to, "salary", from, amount, now);
    }

    fn pay_by_card(&mut self, now: i64) {
        let (from, merchant) = (self.any_account(), self.random.of(MERCHANTS));
        let amount = self.random.between(150, 18_000);
        if self.available(from) < amount {
            return;
        }
        self.last_transaction += 1;
        let client = &mut self.clients[from.0];
        let holding = &mut client.accounts[from.1];
        holding.held += amount;
        let payment = Transaction {
            id: self.last_transaction,
            account: holding.account.id,
            kind: "card",
            counterparty: merchant,
            amount: -amount,
            booked: false,
            made: now,
        };
        self.changes.push_back(Change::Transaction(Images::insert(payment.clone())));
        self.pending.push_back((client.customer.id, payment));
    }

    /// The oldest card payment is booked.
    fn book(&mut self) {
        let Some((customer, before)) = self.pending.pop_front() else { return };
        let after = Transaction { booked: true, ..before.clone() };
        let (account, amount) = (before.account, before.amount);
        self.changes.push_back(Change::Transaction(Images::update(before, after)));
        if let Some(holding) = self.holding(customer, account) {
            holding.held += amount;
            let change = holding.add(amount);
            self.changes.push_back(change);
        }
    }

    /// The latest card payment is cancelled.
    fn cancel(&mut self) {
        let Some((customer, payment)) = self.pending.pop_back() else { return };
        if let Some(holding) = self.holding(customer, payment.account) {
            holding.held += payment.amount;
        }
        self.changes.push_back(Change::Transaction(Images::delete(payment)));
    }

    /// Books a transaction at once.
    fn settle(
        &mut self,
        (client, account): (usize, usize),
        kind: &'static str,
        counterparty: &'static str,
        amount: i64,
        now: i64,
    ) {
        self.last_transaction += 1;
        let holding = &mut self.clients[client].accounts[account];
        let id = self.last_transaction;
        let transaction = Transaction { id, account: holding.account.id, kind, counterparty, amount, booked: true, made: now };
        self.changes.push_back(Change::Transaction(Images::insert(transaction)));
        self.changes.push_back(holding.add(amount));
    }

    fn any_client(&mut self) -> usize {
        self.random.below(self.clients.len() as u64) as usize
    }

    /// A client and one of their accounts.
    fn any_account(&mut self) -> (usize, usize) {
        let client = self.any_client();
        (client, self.random.below(self.clients[client].accounts.len() as u64) as usize)
    }

    fn available(&self, (client, account): (usize, usize)) -> i64 {
        let holding = &self.clients[client].accounts[account];
        holding.account.balance - holding.held
    }

    fn holding(&mut self, customer: i64, account: i64) -> Option<&mut Holding> {
        let client = self.clients.get_mut(*self.places.get(&customer)?)?;
        client.accounts.iter_mut().find(|holding| holding.account.id == account)
    }
}

impl Holding {
    fn add(&mut self, amount: i64) -> Change {
        let before = self.account.clone();
        self.account.balance += amount;
        Change::Account(Images::update(before, self.account.clone()))
    }
}

/// SplitMix64: small, and good enough to look like business.
#[derive(Debug)]
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end.max(1)
    }

    fn between(&mut self, low: i64, high: i64) -> i64 {
        low + self.below((high - low) as u64) as i64
    }

    fn of(&mut self, texts: &[&'static str]) -> &'static str {
        texts[self.below(texts.len() as u64) as usize]
    }
}

const FIRST_NAMES: &[&str] = &[
    "Ada", "Ben", "Clara", "David", "Elif", "Felix", "Grace", "Hugo", "Ines", "Jonas", "Kim", "Lena", "Mila", "Noah", "Olga",
    "Paul", "Rosa", "Sami", "Tara", "Umut", "Vera", "Wim", "Yara", "Zoe",
];
const LAST_NAMES: &[&str] = &[
    "Abel", "Bauer", "Costa", "Dorn", "Engel", "Fuchs", "Garcia", "Hansen", "Ivanov", "Jung", "Kaya", "Lang", "Moreau", "Novak",
    "Otto", "Peters", "Rossi", "Schmidt", "Thomas", "Urban", "Vogel", "Weber", "Young", "Zimmer",
];
const CITIES: &[&str] =
    &["Aachen", "Berlin", "Bremen", "Dresden", "Hamburg", "Kassel", "Leipzig", "Lyon", "Madrid", "Turin", "Wien"];
const EMPLOYERS: &[&str] = &["City Hospital", "Harbour Works", "Northwind Ltd", "Public School 7", "Rail Services"];
const MERCHANTS: &[&str] = &[
    "Blue Bakery",
    "Book Corner",
    "City Cinema",
    "Corner Grocery",
    "Fresh Market",
    "Green Energy",
    "Metro Tickets",
    "Phone & Web",
    "Pizza Roma",
    "Sport Store",
    "Sunny Pharmacy",
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn changes(seed: u64, count: usize) -> Vec<Change> {
        let mut bank = Bank::new(seed);
        (0..count).map(|n| bank.next(1_700_000_000_000 + n as i64)).collect()
    }

    #[test]
    fn a_seed_always_gives_the_same_changes() {
        assert_eq!(changes(7, 5_000), changes(7, 5_000));
        assert_ne!(changes(7, 100), changes(8, 100));
    }

    /// Applies an image to a table, after a look at whether it fits what the table has.
    fn apply<T: Clone + PartialEq + std::fmt::Debug>(table: &mut BTreeMap<i64, T>, id: fn(&T) -> i64, images: Images<T>) {
        let key = images.before.as_ref().or(images.after.as_ref()).map(id).expect("a row");
        assert_eq!(table.get(&key), images.before.as_ref(), "what was there");
        match images.after {
            Some(after) => {
                assert_eq!(id(&after), key);
                assert_ne!(images.before.as_ref(), Some(&after), "an update changes something");
                table.insert(key, after);
            }
            None => drop(table.remove(&key)),
        }
    }

    #[test]
    fn the_books_balance() {
        let (mut customers, mut accounts, mut transactions) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let mut ops: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        for (n, change) in changes(42, 60_000).into_iter().enumerate() {
            let (table, op) = match &change {
                Change::Customer(images) => ("customers", images.op()),
                Change::Account(images) => ("accounts", images.op()),
                Change::Transaction(images) => ("transactions", images.op()),
            };
            *ops.entry((table, op)).or_default() += 1;
            match change {
                Change::Customer(images) => apply(&mut customers, |c: &Customer| c.id, images),
                Change::Account(images) => apply(&mut accounts, |a: &Account| a.id, images),
                Change::Transaction(images) => apply(&mut transactions, |t: &Transaction| t.id, images),
            }
            // the change of an account follows that of the transaction that moves it
            if n % 499 == 0 && table == "accounts" {
                let mut sums: BTreeMap<i64, i64> = BTreeMap::new();
                for t in transactions.values().filter(|t| t.booked) {
                    *sums.entry(t.account).or_default() += t.amount;
                }
                for account in accounts.values() {
                    assert_eq!(sums.remove(&account.id).unwrap_or(0), account.balance, "{account:?}");
                    assert!(account.balance >= 0 && customers.contains_key(&account.customer), "{account:?}");
                }
                assert!(sums.values().all(|left| *left == 0), "closed accounts are empty");
            }
        }
        for table in ["customers", "accounts", "transactions"] {
            for op in ["c", "u", "d"] {
                assert!(ops.get(&(table, op)).is_some_and(|count| *count > 10), "{table} {op}: {ops:?}");
            }
        }
    }
}
