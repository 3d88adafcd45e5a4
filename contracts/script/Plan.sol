// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {Vm} from "forge-std/Vm.sol";

import {DaoParameters, TreasuryParameters} from "src/types/Governance.sol";
import {RegistryParameters} from "src/types/Miner.sol";

/// @notice Where the contracts of one market live.
struct Addresses {
    address token;
    address timelock;
    address dao;
    address treasury;
    address walletImplementation;
    address whitelist;
    address cases;
    address factory;
    address appPool;
    address minerRegistry;
    address standing;
}

/// @notice What every wallet is made with, without the addresses that a deployment finds out.
struct WalletNumbers {
    uint128 freezeQuota;
    uint8 lockPercent;
    uint16 daoFeePerMille;
    uint32 payoutPeriod;
    uint32 suspicionPeriod;
}

/// @notice All a deployment is told.
struct Plan {
    address minter; // the bridge, for ever
    address initialHolder; // zero: the treasury
    address court; // zero: no miner's bond is ever at risk
    address curator; // vouches for hubs until a vote ends it; zero: nobody
    uint256 initialSupply;
    WalletNumbers wallet;
    DaoParameters dao;
    uint256 timelockDelay;
    TreasuryParameters treasury;
    uint128 caseBondMin;
    RegistryParameters registry;
}

/// @title Plans
/// @notice Reads numbers from a parameters file (`script/parameters.json`) and addresses from the addresses file, and
/// writes the latter. Seconds, base units, per cent and per mille, as the contracts take them.
library Plans {
    using SafeCast for uint256;

    Vm private constant VM = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    /// @notice The numbers of a parameters file.
    function read(string memory path) internal view returns (Plan memory p) {
        string memory json = VM.readFile(path);
        p.initialSupply = _number(json, ".token.initialSupply");
        p.wallet = WalletNumbers({
            freezeQuota: _number(json, ".wallet.freezeQuota").toUint128(),
            lockPercent: _number(json, ".wallet.lockPercent").toUint8(),
            daoFeePerMille: _number(json, ".wallet.daoFeePerMille").toUint16(),
            payoutPeriod: _number(json, ".wallet.payoutPeriod").toUint32(),
            suspicionPeriod: _number(json, ".wallet.suspicionPeriod").toUint32()
        });
        p.dao = _dao(json);
        p.timelockDelay = _number(json, ".dao.timelockDelay");
        p.treasury = TreasuryParameters({
            expropriationLock: _number(json, ".treasury.expropriationLock").toUint32(),
            epochLength: _number(json, ".treasury.epochLength").toUint32(),
            claimPeriod: _number(json, ".treasury.claimPeriod").toUint32(),
            dividendPerMille: _number(json, ".treasury.dividendPerMille").toUint16()
        });
        p.caseBondMin = _number(json, ".cases.bondMin").toUint128();
        p.registry = RegistryParameters({
            bondMin: _number(json, ".registry.bondMin").toUint128(),
            clock: _number(json, ".registry.clock").toUint32(),
            grace: _number(json, ".registry.grace").toUint32()
        });
    }

    function _dao(string memory json) private pure returns (DaoParameters memory) {
        return DaoParameters({
            votingDelay: _number(json, ".dao.votingDelay").toUint48(),
            votingPeriod: _number(json, ".dao.votingPeriod").toUint32(),
            proposalThreshold: _number(json, ".dao.proposalThreshold").toUint128(),
            quorumPercent: _number(json, ".dao.quorumPercent").toUint8(),
            graveQuorumPercent: _number(json, ".dao.graveQuorumPercent").toUint8(),
            graveMajorityPercent: _number(json, ".dao.graveMajorityPercent").toUint8()
        });
    }

    function _number(string memory json, string memory key) private pure returns (uint256) {
        return VM.parseJsonUint(json, key);
    }

    /// @notice The addresses of an addresses file.
    function addressesIn(string memory path) internal view returns (uint256 chainId, Addresses memory a) {
        string memory json = VM.readFile(path);
        chainId = _number(json, ".chain_id");
        a = Addresses({
            token: VM.parseJsonAddress(json, ".token"),
            timelock: VM.parseJsonAddress(json, ".timelock"),
            dao: VM.parseJsonAddress(json, ".dao"),
            treasury: VM.parseJsonAddress(json, ".treasury"),
            walletImplementation: VM.parseJsonAddress(json, ".wallet_implementation"),
            whitelist: VM.parseJsonAddress(json, ".whitelist"),
            cases: VM.parseJsonAddress(json, ".cases"),
            factory: VM.parseJsonAddress(json, ".factory"),
            appPool: VM.parseJsonAddress(json, ".app_pool"),
            minerRegistry: VM.parseJsonAddress(json, ".miner_registry"),
            standing: VM.parseJsonAddress(json, ".standing")
        });
    }

    /// @notice Writes an addresses file.
    function write(string memory path, uint256 chainId, Addresses memory a) internal {
        string memory object = "addresses";
        VM.serializeUint(object, "chain_id", chainId);
        VM.serializeAddress(object, "token", a.token);
        VM.serializeAddress(object, "timelock", a.timelock);
        VM.serializeAddress(object, "dao", a.dao);
        VM.serializeAddress(object, "treasury", a.treasury);
        VM.serializeAddress(object, "wallet_implementation", a.walletImplementation);
        VM.serializeAddress(object, "whitelist", a.whitelist);
        VM.serializeAddress(object, "cases", a.cases);
        VM.serializeAddress(object, "factory", a.factory);
        VM.serializeAddress(object, "app_pool", a.appPool);
        VM.serializeAddress(object, "miner_registry", a.minerRegistry);
        VM.writeJson(VM.serializeAddress(object, "standing", a.standing), path);
    }

    /// @notice All of them, in the order of their creation.
    function list(Addresses memory a) internal pure returns (address[11] memory) {
        return [
            a.token,
            a.timelock,
            a.dao,
            a.treasury,
            a.walletImplementation,
            a.whitelist,
            a.cases,
            a.factory,
            a.appPool,
            a.minerRegistry,
            a.standing
        ];
    }
}
