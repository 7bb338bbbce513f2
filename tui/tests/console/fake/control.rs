//! Each call, answered from the script.
use super::{Handle, Watcher};
use payout_proto::v1::{self, control_server::Control};
use std::pin::Pin;
use tokio::sync::mpsc;
use tokio_stream::{Stream, StreamExt, wrappers::ReceiverStream};
use tonic::{Request, Response, Status, Streaming};

type Boxed<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl Control for Handle {
    type DryRunStream = Boxed<v1::DryRunLine>;
    type ImportEarningsStream = Boxed<v1::ImportProgress>;
    type PreviewRollbackStream = Boxed<v1::RollbackLine>;
    type WatchStream = Boxed<v1::WatchFrame>;

    async fn get_status(&self, _: Request<v1::GetStatusRequest>) -> Result<Response<v1::GetStatusReply>, Status> {
        self.ready().await;
        let parts = self.script.lock().unwrap().parts.clone();
        let states = parts.states.unwrap_or_default().states;
        Ok(Response::new(v1::GetStatusReply { daemon: parts.daemon, run: parts.run, states }))
    }

    async fn start_run(&self, request: Request<v1::StartRunRequest>) -> Result<Response<v1::StartRunReply>, Status> {
        let label = format!("{}#2", request.into_inner().cycle_date);
        Ok(Response::new(v1::StartRunReply { run_id: "run_new".into(), label }))
    }

    async fn dry_run(&self, _: Request<v1::DryRunRequest>) -> Result<Response<Self::DryRunStream>, Status> {
        let line = v1::DryRunLine {
            creator_id: "c1".into(),
            currency: "usd".into(),
            outcome: "payout".into(),
            amount_minor: 1234,
            ..v1::DryRunLine::default()
        };
        let total = v1::DryRunTotal { payouts: 1, ..v1::DryRunTotal::default() };
        let last = v1::DryRunLine { total: Some(total), ..v1::DryRunLine::default() };
        Ok(Response::new(Box::pin(tokio_stream::iter([Ok(line), Ok(last)]))))
    }

    async fn list_runs(&self, _: Request<v1::ListRunsRequest>) -> Result<Response<v1::ListRunsReply>, Status> {
        let runs = self.script.lock().unwrap().parts.run.clone().into_iter().collect();
        Ok(Response::new(v1::ListRunsReply { runs }))
    }

    async fn show_run(&self, request: Request<v1::ShowRunRequest>) -> Result<Response<v1::ShowRunReply>, Status> {
        let parts = self.script.lock().unwrap().parts.clone();
        let asked = request.into_inner().run;
        let run = parts.run.filter(|run| run.label == asked || run.id == asked);
        let run = run.ok_or_else(|| Status::not_found(format!("there is no run {asked}")))?;
        Ok(Response::new(v1::ShowRunReply { run: Some(run), ..v1::ShowRunReply::default() }))
    }

    async fn pause(&self, request: Request<v1::PauseRequest>) -> Result<Response<v1::PauseReply>, Status> {
        self.ready().await;
        let mut script = self.script.lock().unwrap();
        script.paused.push(request.into_inner());
        match script.pause.clone() {
            Some(status) => Err(status),
            None => Ok(Response::new(v1::PauseReply { state: "pausing".into(), in_flight: 24, seq: 91 })),
        }
    }

    async fn resume(&self, request: Request<v1::ResumeRequest>) -> Result<Response<v1::ResumeReply>, Status> {
        self.script.lock().unwrap().resumed.push(request.into_inner());
        Ok(Response::new(v1::ResumeReply { state: "running".into(), seq: 92 }))
    }

    async fn list_payouts(
        &self,
        request: Request<v1::ListPayoutsRequest>,
    ) -> Result<Response<v1::ListPayoutsReply>, Status> {
        self.ready().await;
        let asked = request.into_inner();
        let script = self.script.lock().unwrap();
        let wanted: Vec<_> = script
            .rows
            .iter()
            .filter(|row| asked.states.is_empty() || asked.states.contains(&row.state))
            .filter(|row| asked.cause.is_empty() || asked.cause == row.cause)
            .cloned()
            .collect();
        let from: usize = asked.cursor.parse().unwrap_or(0);
        let limit = usize::try_from(asked.limit).unwrap_or(100).max(1);
        let rows: Vec<_> = wanted.iter().skip(from).take(limit).cloned().collect();
        let next_cursor =
            if from + rows.len() < wanted.len() { (from + rows.len()).to_string() } else { String::new() };
        Ok(Response::new(v1::ListPayoutsReply { rows, next_cursor, total: i64::try_from(wanted.len()).unwrap() }))
    }

    async fn show_payout(
        &self,
        request: Request<v1::ShowPayoutRequest>,
    ) -> Result<Response<v1::ShowPayoutReply>, Status> {
        let mut shown = self.script.lock().unwrap().shown.clone();
        if let Some(payout) = &mut shown.payout {
            payout.id = request.into_inner().payout_id;
        }
        Ok(Response::new(shown))
    }

    async fn preview_rollback(
        &self,
        _: Request<v1::PreviewRollbackRequest>,
    ) -> Result<Response<Self::PreviewRollbackStream>, Status> {
        let amount = Some(v1::Money { minor: 1_234, currency: "usd".into() });
        let line = v1::RollbackLine {
            payout_id: "pay_1".into(),
            creator_id: "c1".into(),
            state: "pending".into(),
            step: "cancel".into(),
            amount: amount.clone(),
            ..v1::RollbackLine::default()
        };
        let step = v1::RollbackStep { step: "cancel".into(), count: 1, amounts: amount.into_iter().collect() };
        let total = v1::RollbackTotal { hash: "c0ffee".into(), steps: vec![step], to_do: 1 };
        let last = v1::RollbackLine { total: Some(total), ..v1::RollbackLine::default() };
        Ok(Response::new(Box::pin(tokio_stream::iter([Ok(line), Ok(last)]))))
    }

    async fn confirm_rollback(
        &self,
        request: Request<v1::ConfirmRollbackRequest>,
    ) -> Result<Response<v1::ConfirmRollbackReply>, Status> {
        let request = request.into_inner();
        if request.hash != "c0ffee" {
            return Err(Status::failed_precondition("it isn't what was shown any more"));
        }
        self.script.lock().unwrap().rolled_back.push(request);
        Ok(Response::new(v1::ConfirmRollbackReply { state: "aborting".into(), to_do: 1, to_approve: 0, seq: 94 }))
    }

    async fn abort_run(&self, _: Request<v1::AbortRunRequest>) -> Result<Response<v1::AbortRunReply>, Status> {
        Ok(Response::new(v1::AbortRunReply { state: "aborting".into(), seq: 95 }))
    }

    async fn retry_payouts(&self, request: Request<v1::RetryRequest>) -> Result<Response<v1::RetryReply>, Status> {
        let row = |target: v1::RetryTarget| {
            let refused = if target.payout_id.starts_with("paid") { "it is paid" } else { "" };
            v1::RetriedRow { payout_id: target.payout_id, refused: refused.to_owned(), ..v1::RetriedRow::default() }
        };
        let rows: Vec<_> = request.into_inner().targets.into_iter().map(row).collect();
        let retried = rows.iter().filter(|row| row.refused.is_empty()).count();
        Ok(Response::new(v1::RetryReply { retried: i64::try_from(retried).unwrap(), rows }))
    }

    async fn use_account(&self, _: Request<v1::UseAccountRequest>) -> Result<Response<v1::UseAccountReply>, Status> {
        Ok(Response::new(v1::UseAccountReply { already: false, on_their_way: 1, seq: 98 }))
    }

    async fn adopt(&self, request: Request<v1::AdoptRequest>) -> Result<Response<v1::AdoptReply>, Status> {
        let request = request.into_inner();
        if request.object_id != "po_7" {
            return Err(Status::failed_precondition(format!("{} bars nothing", request.object_id)));
        }
        Ok(Response::new(v1::AdoptReply {
            account_id: "acct_7".into(),
            amount: Some(v1::Money { minor: 700, currency: "usd".into() }),
            entries: 1,
            payable_minor: 3_000,
            carried_minor: 2_300,
            voided_payout_id: "pay_7".into(),
            already: false,
            seq: 97,
        }))
    }

    async fn list_foreign(
        &self,
        request: Request<v1::ListForeignRequest>,
    ) -> Result<Response<v1::ListForeignReply>, Status> {
        let rows = vec![v1::ForeignPart {
            object_id: "po_7".into(),
            account_id: "acct_7".into(),
            creator_id: "creator7".into(),
            amount: Some(v1::Money { minor: 700, currency: "usd".into() }),
            status: "paid".into(),
            created_at_ms: 1_796_104_800_000,
            bars: !request.into_inner().all,
            ..v1::ForeignPart::default()
        }];
        Ok(Response::new(v1::ListForeignReply { rows, more: false }))
    }

    async fn resolve_paid(
        &self,
        request: Request<v1::ResolvePaidRequest>,
    ) -> Result<Response<v1::ResolvePaidReply>, Status> {
        match request.into_inner().object_id.as_str() {
            "po_1" => {
                Ok(Response::new(v1::ResolvePaidReply { state: "paid".into(), how: "by its key".into(), seq: 93 }))
            }
            other => Err(Status::failed_precondition(format!("{other} carries the key of another payout"))),
        }
    }

    async fn import_earnings(
        &self,
        request: Request<Streaming<v1::ImportChunk>>,
    ) -> Result<Response<Self::ImportEarningsStream>, Status> {
        let mut chunks = request.into_inner();
        let (mut bytes, mut whole) = (Vec::new(), false);
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk?;
            whole = chunk.last;
            bytes.extend(chunk.data);
        }
        if !whole {
            return Err(Status::invalid_argument("cut short"));
        }
        self.script.lock().unwrap().imported = Some(bytes);
        let done = v1::ImportDone { imported: 2, known: 1, creators: 2, seq: 5 };
        let last = v1::ImportProgress { checked: 3, written: 3, done: Some(done) };
        Ok(Response::new(Box::pin(tokio_stream::iter([Ok(last)]))))
    }

    async fn get_schedule(&self, _: Request<v1::GetScheduleRequest>) -> Result<Response<v1::GetScheduleReply>, Status> {
        Ok(Response::new(v1::GetScheduleReply {
            armed: true,
            timezone: "UTC".into(),
            ..v1::GetScheduleReply::default()
        }))
    }

    async fn set_schedule(
        &self,
        request: Request<v1::SetScheduleRequest>,
    ) -> Result<Response<v1::GetScheduleReply>, Status> {
        if let Some(status) = self.script.lock().unwrap().schedule.clone() {
            return Err(status);
        }
        Ok(Response::new(v1::GetScheduleReply { armed: request.into_inner().armed, ..v1::GetScheduleReply::default() }))
    }

    async fn check_books(&self, _: Request<v1::CheckBooksRequest>) -> Result<Response<v1::CheckBooksReply>, Status> {
        Ok(Response::new(self.script.lock().unwrap().books.clone()))
    }

    async fn list_creators(
        &self,
        request: Request<v1::ListCreatorsRequest>,
    ) -> Result<Response<v1::ListCreatorsReply>, Status> {
        self.ready().await;
        let asked = request.into_inner();
        let lines = self.script.lock().unwrap().creators.clone();
        let from: usize = asked.cursor.parse().unwrap_or(0);
        let limit = usize::try_from(asked.limit).unwrap().max(1);
        let next_cursor = if from + limit < lines.len() { (from + limit).to_string() } else { String::new() };
        let page = lines.into_iter().skip(from).take(limit);
        let wanted = |line: &v1::DryRunLine| asked.reason.is_empty() || line.reason == asked.reason;
        let lines = page.filter(|line| !asked.why_not || line.outcome == "skip").filter(wanted).collect();
        Ok(Response::new(v1::ListCreatorsReply { lines, next_cursor }))
    }

    async fn show_creator(
        &self,
        request: Request<v1::ShowCreatorRequest>,
    ) -> Result<Response<v1::ShowCreatorReply>, Status> {
        self.ready().await;
        let creator_id = request.into_inner().creator_id;
        if creator_id == "ghost" {
            return Err(Status::not_found("there is no creator ghost"));
        }
        let creator = self.script.lock().unwrap().creator.clone();
        Ok(Response::new(v1::ShowCreatorReply { creator_id, ..creator }))
    }

    async fn hold(&self, request: Request<v1::HoldRequest>) -> Result<Response<v1::HoldReply>, Status> {
        let mut script = self.script.lock().unwrap();
        let asked = request.into_inner();
        script.held.push(asked.clone());
        if let Some(status) = script.hold.clone() {
            return Err(status);
        }
        let hold = v1::HoldPart { cause: "person".into(), reason: asked.reason, ..v1::HoldPart::default() };
        Ok(Response::new(v1::HoldReply { hold: Some(hold), seq: 7, on_their_way: 1 }))
    }

    async fn release(&self, request: Request<v1::ReleaseRequest>) -> Result<Response<v1::ReleaseReply>, Status> {
        let mut script = self.script.lock().unwrap();
        script.released.push(request.into_inner());
        if let Some(status) = script.hold.clone() {
            return Err(status);
        }
        let (released, left) = (script.creator.holds.clone(), Vec::new());
        Ok(Response::new(v1::ReleaseReply { released, seq: 8, left }))
    }

    async fn list_policies(
        &self,
        _: Request<v1::ListPoliciesRequest>,
    ) -> Result<Response<v1::ListPoliciesReply>, Status> {
        Err(Status::unimplemented("no screen asks for policies"))
    }

    async fn set_policy(&self, _: Request<v1::SetPolicyRequest>) -> Result<Response<v1::SetPolicyReply>, Status> {
        Err(Status::unimplemented("no screen sets a policy"))
    }

    async fn policy_history(
        &self,
        _: Request<v1::PolicyHistoryRequest>,
    ) -> Result<Response<v1::PolicyHistoryReply>, Status> {
        Err(Status::unimplemented("no screen asks for policies"))
    }

    async fn list_cohorts(&self, _: Request<v1::ListCohortsRequest>) -> Result<Response<v1::ListCohortsReply>, Status> {
        let cohorts = self.script.lock().unwrap().cohort.cohort.clone().into_iter().collect();
        Ok(Response::new(v1::ListCohortsReply { cohorts }))
    }

    async fn show_cohort(
        &self,
        request: Request<v1::ShowCohortRequest>,
    ) -> Result<Response<v1::ShowCohortReply>, Status> {
        let judged = Some(self.script.lock().unwrap().cohort.clone());
        let (creator_ids, next_cursor) = match request.into_inner().cursor.as_str() {
            "" => (vec!["alice".to_owned(), "bob".to_owned()], "bob".to_owned()),
            _ => (vec!["carol".to_owned()], String::new()),
        };
        Ok(Response::new(v1::ShowCohortReply { judged, creator_ids, next_cursor }))
    }

    async fn create_cohort(
        &self,
        request: Request<v1::CreateCohortRequest>,
    ) -> Result<Response<v1::CreateCohortReply>, Status> {
        let q = request.into_inner();
        let asked = format!("create {} {:?} {:?} {} {}", q.name, q.creator_ids, q.tag, q.percent_bp, q.reason);
        Ok(Response::new(v1::CreateCohortReply { cohort: self.change(asked)?, seq: 11, first: true }))
    }

    async fn change_members(
        &self,
        request: Request<v1::ChangeMembersRequest>,
    ) -> Result<Response<v1::ChangeMembersReply>, Status> {
        let q = request.into_inner();
        let asked =
            format!("change {} {:?} remove={} override={} {}", q.name, q.creator_ids, q.remove, q.r#override, q.reason);
        let changed = i64::try_from(q.creator_ids.len()).unwrap();
        Ok(Response::new(v1::ChangeMembersReply { cohort: self.change(asked)?, seq: 12, changed }))
    }

    async fn sample_cohort(
        &self,
        request: Request<v1::SampleCohortRequest>,
    ) -> Result<Response<v1::SampleCohortReply>, Status> {
        let pick = |n: i64| v1::Sampled {
            creator_id: format!("c{n}"),
            country: "DE".to_owned(),
            quarter: n,
            earned: Some(v1::Money { minor: 1_000 * n, currency: "eur".to_owned() }),
        };
        let picks = (1..=request.into_inner().size.min(4)).map(pick).collect();
        Ok(Response::new(v1::SampleCohortReply { picks, of: 30 }))
    }

    async fn open_cohort(
        &self,
        request: Request<v1::OpenCohortRequest>,
    ) -> Result<Response<v1::OpenCohortReply>, Status> {
        let q = request.into_inner();
        let cohort = self.change(format!("open {} override={} {}", q.name, q.r#override, q.reason))?;
        let judged = vec![self.script.lock().unwrap().cohort.clone()];
        Ok(Response::new(v1::OpenCohortReply { cohort, seq: 13, judged }))
    }

    async fn close_cohort(
        &self,
        request: Request<v1::CloseCohortRequest>,
    ) -> Result<Response<v1::CloseCohortReply>, Status> {
        let q = request.into_inner();
        let cohort = self.change(format!("close {} {}", q.name, q.reason))?;
        Ok(Response::new(v1::CloseCohortReply { cohort, seq: 14 }))
    }

    async fn judge_cohort(&self, _: Request<v1::JudgeCohortRequest>) -> Result<Response<v1::JudgedPart>, Status> {
        Ok(Response::new(self.script.lock().unwrap().cohort.clone()))
    }

    async fn tag_creator(
        &self,
        request: Request<v1::TagCreatorRequest>,
    ) -> Result<Response<v1::TagCreatorReply>, Status> {
        let q = request.into_inner();
        self.change(format!("tag {} {} remove={} {}", q.creator_id, q.tag, q.remove, q.reason))?;
        Ok(Response::new(v1::TagCreatorReply { seq: 15 }))
    }

    async fn list_requests(
        &self,
        request: Request<v1::ListRequestsRequest>,
    ) -> Result<Response<v1::ListRequestsReply>, Status> {
        let all = request.into_inner().all;
        let requests = self.script.lock().unwrap().requests.clone();
        let requests = requests.into_iter().filter(|part| all || part.state == "open").collect();
        Ok(Response::new(v1::ListRequestsReply { requests }))
    }

    async fn approve(&self, request: Request<v1::ApproveRequest>) -> Result<Response<v1::DecideReply>, Status> {
        let q = request.into_inner();
        self.decide("applied", format!("approve {} {} {}", q.request, q.hash, q.reason))
    }

    async fn reject(&self, request: Request<v1::RejectRequest>) -> Result<Response<v1::DecideReply>, Status> {
        let q = request.into_inner();
        self.decide("rejected", format!("reject {} {}", q.request, q.reason))
    }

    async fn ask_override(
        &self,
        request: Request<v1::AskOverrideRequest>,
    ) -> Result<Response<v1::DecideReply>, Status> {
        let q = request.into_inner();
        let asked = format!("override {} {} {} {:?} {}", q.creator_id, q.kind, q.cycle_date, q.up_to, q.reason);
        self.decide("open", asked)
    }

    async fn ask_adjustment(
        &self,
        request: Request<v1::AskAdjustmentRequest>,
    ) -> Result<Response<v1::DecideReply>, Status> {
        let q = request.into_inner();
        let (account, transfer) = (q.account_id, q.transfer_id);
        let asked = format!(
            "adjust {} {} {} {account:?} {transfer:?} write_off={} {}",
            q.creator_id, q.amount, q.currency, q.write_off, q.reason
        );
        self.decide("open", asked)
    }

    async fn ask_not_paid(&self, request: Request<v1::AskNotPaidRequest>) -> Result<Response<v1::DecideReply>, Status> {
        let q = request.into_inner();
        self.decide("open", format!("not-paid {} {}", q.payout_id, q.reason))
    }

    async fn watch(&self, request: Request<v1::WatchRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let (frames, stream) = mpsc::channel(16);
        let watcher = Watcher { request: request.into_inner(), frames };
        self.watchers.send(watcher).await.map_err(|_| Status::unavailable("the test has ended"))?;
        Ok(Response::new(Box::pin(ReceiverStream::new(stream))))
    }
}
