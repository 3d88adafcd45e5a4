// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Claim, DealId, DealTerms} from "../types/Deal.sol";

/// @title TypedData
/// @notice EIP-712 struct hashes (F3, docs/protocol.md section 4). The domain is the wallet's.
/// @dev All members are static, so `abi.encode` of a struct is exactly EIP-712's encoded data.
library TypedData {
    bytes32 internal constant DEAL_TERMS_TYPEHASH = keccak256(
        "DealTerms(address buyer,address wallet,bytes32 buyerNonce,bytes32 hubNonce,bytes32 seedCommitment,"
        "bytes32 jobRoot,uint32 unitCount,uint8 mode,bytes32 modeParams,uint32 machineVersion,bytes32 machineParams,"
        "uint128 pricePerPu,uint128 cap,uint128 guarantee,address royaltyTo,uint16 royaltyPerMille,address court,"
        "uint64 clockStart,uint64 openBy,uint64 deliverBy,uint64 window)"
    );
    bytes32 internal constant CLAIM_TYPEHASH = keccak256(
        "Claim(bytes32 dealId,uint32 unit,address owner,bytes32 programRoot,bytes32 inputRoot,uint8 status,"
        "uint32 exitCode,uint64 cu,bytes32 outputRoot,uint64 outputLength,bytes32 contentRoot)"
    );
    bytes32 internal constant CONFIRMATION_TYPEHASH = keccak256("Confirmation(bytes32 dealId,bytes32 resultRoot)");
    bytes32 internal constant CANCELLATION_TYPEHASH = keccak256("Cancellation(bytes32 dealId,uint128 payment)");

    /// @notice Of a deal's terms; with the wallet's domain it becomes the deal id.
    function hash(DealTerms calldata terms) internal pure returns (bytes32) {
        return keccak256(abi.encode(DEAL_TERMS_TYPEHASH, terms));
    }

    /// @notice Of a claim: the `claimHash` of the result tree.
    function hash(Claim calldata claim) internal pure returns (bytes32) {
        return keccak256(abi.encode(CLAIM_TYPEHASH, claim));
    }

    /// @notice Of the buyer's word that a result is accepted.
    function confirmation(DealId dealId, bytes32 resultRoot) internal pure returns (bytes32) {
        return keccak256(abi.encode(CONFIRMATION_TYPEHASH, dealId, resultRoot));
    }

    /// @notice Of both sides' word that a deal ends with `payment`.
    function cancellation(DealId dealId, uint128 payment) internal pure returns (bytes32) {
        return keccak256(abi.encode(CANCELLATION_TYPEHASH, dealId, payment));
    }
}
