//! `SubjectService`.

use sluis_domain::NamespaceId;
use sluis_wire::{field, v1};
use tonic::{Request, Response, Status};

use super::{Subjects, act, call_of, view};

#[tonic::async_trait]
impl v1::subject_service_server::SubjectService for Subjects {
    async fn request_erasure(
        &self,
        request: Request<v1::RequestErasureRequest>,
    ) -> Result<Response<v1::RequestErasureResponse>, Status> {
        let call = call_of(request.extensions())?;
        let request = request.into_inner();
        let requested = act(&self.0, &call, move |shared, caller| {
            let namespace: NamespaceId = field::required("namespace_id", &request.namespace_id)?;
            Ok(shared
                .engine()?
                .life()
                .request_erasure(caller, &namespace, &request.identifier)?)
        });
        let proposal = Some(view::proposal(&requested.await?, self.0.origin()).into());
        Ok(Response::new(v1::RequestErasureResponse { proposal }))
    }
}
