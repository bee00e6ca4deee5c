//! `SubjectService`.

use sluis_domain::NamespaceId;
use sluis_proto::v1;
use tonic::{Request, Response, Status};

use super::{Subjects, act, call_of};
use crate::convert::{self, proposal};

#[tonic::async_trait]
impl v1::subject_service_server::SubjectService for Subjects {
    async fn request_erasure(
        &self,
        request: Request<v1::RequestErasureRequest>,
    ) -> Result<Response<v1::RequestErasureResponse>, Status> {
        let call = call_of(request.extensions())?;
        let request = request.into_inner();
        let view = act(&self.0, &call, move |shared, caller| {
            let namespace: NamespaceId = convert::required("namespace_id", &request.namespace_id)?;
            Ok(shared
                .engine()?
                .request_erasure(caller, &namespace, &request.identifier)?)
        });
        let proposal = Some(proposal::proposal(&view.await?, self.0.origin()));
        Ok(Response::new(v1::RequestErasureResponse { proposal }))
    }
}
