// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Claim, DealId, DealTerms} from "src/types/Deal.sol";

/// @notice EIP-712 written from docs/protocol.md section 4, word by word, independent of the contracts.
library Typed {
    bytes32 internal constant DOMAIN_TYPEHASH =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");

    string internal constant TERMS_TYPE =
        "DealTerms(address buyer,address wallet,bytes32 buyerNonce,bytes32 hubNonce,bytes32 seedCommitment,bytes32 jobRoot,uint32 unitCount,uint8 mode,bytes32 modeParams,uint32 machineVersion,bytes32 machineParams,uint128 pricePerPu,uint128 cap,uint128 guarantee,address royaltyTo,uint16 royaltyPerMille,address court,uint64 clockStart,uint64 openBy,uint64 deliverBy,uint64 window)";
    string internal constant CLAIM_TYPE =
        "Claim(bytes32 dealId,uint32 unit,address owner,bytes32 programRoot,bytes32 inputRoot,uint8 status,uint32 exitCode,uint64 cu,bytes32 outputRoot,uint64 outputLength,bytes32 contentRoot)";

    function domain(uint256 chainId, address wallet) internal pure returns (bytes32) {
        return keccak256(abi.encode(DOMAIN_TYPEHASH, keccak256("GIO"), keccak256("1"), chainId, wallet));
    }

    function digest(bytes32 domain_, bytes32 structHash) internal pure returns (bytes32) {
        return keccak256(bytes.concat(hex"1901", domain_, structHash));
    }

    function termsHash(DealTerms memory t) internal pure returns (bytes32) {
        bytes memory parties = abi.encode(keccak256(bytes(TERMS_TYPE)), t.buyer, t.wallet, t.buyerNonce, t.hubNonce);
        bytes memory job = abi.encode(t.seedCommitment, t.jobRoot, t.unitCount, t.mode, t.modeParams);
        bytes memory price = abi.encode(t.machineVersion, t.machineParams, t.pricePerPu, t.cap, t.guarantee);
        bytes memory rest = abi.encode(t.royaltyTo, t.royaltyPerMille, t.court, t.clockStart);
        bytes memory times = abi.encode(t.openBy, t.deliverBy, t.window);
        return keccak256(bytes.concat(parties, job, price, rest, times));
    }

    function claimHash(Claim memory c) internal pure returns (bytes32) {
        bytes memory head = abi.encode(keccak256(bytes(CLAIM_TYPE)), c.dealId, c.unit, c.owner);
        bytes memory body = abi.encode(c.programRoot, c.inputRoot, c.status, c.exitCode, c.cu);
        return keccak256(bytes.concat(head, body, abi.encode(c.outputRoot, c.outputLength, c.contentRoot)));
    }

    function acceptance(DealId dealId, uint32 unit, bytes32 claimHash_) internal pure returns (bytes32) {
        bytes32 typeHash = keccak256("Acceptance(bytes32 dealId,uint32 unit,bytes32 claimHash)");
        return keccak256(abi.encode(typeHash, dealId, unit, claimHash_));
    }

    /// @param root Over the acceptances of one message (docs/protocol.md section 4.4).
    function acceptances(bytes32 root) internal pure returns (bytes32) {
        return keccak256(abi.encode(keccak256("Acceptances(bytes32 root)"), root));
    }

    function confirmation(DealId dealId, bytes32 resultRoot) internal pure returns (bytes32) {
        return keccak256(abi.encode(keccak256("Confirmation(bytes32 dealId,bytes32 resultRoot)"), dealId, resultRoot));
    }

    function cancellation(DealId dealId, uint128 payment) internal pure returns (bytes32) {
        return keccak256(abi.encode(keccak256("Cancellation(bytes32 dealId,uint128 payment)"), dealId, payment));
    }
}
